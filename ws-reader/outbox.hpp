#pragma once
// Keeps every event until md-publisher says that Redis has confirmed it. Events are numbered, encoded once
// into batches, sent in order within a window, resent from where the publisher stands, and dropped oldest
// first only at the memory bound. Pure core: positions and the time come in, batches to send come out.
#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "libshared/event/event.hpp"
#include "libshared/time/time.hpp"
#include "libshared/wire/byte_buffer.hpp"
#include "libshared/wire/link.hpp"
#include "ws-reader/ring_queue.hpp"

namespace mdpipe::reader {

struct OutboxLimits {
  std::size_t retain_bytes_max = 64U << 20U;  // of all batches kept
  std::size_t batch_bytes_max = 64U << 10U;   // a batch is closed once it is larger
  std::size_t window_bytes_max = 8U << 20U;   // sent and not yet confirmed; bounds what waits inside ZeroMQ
};

using CountByType = std::array<std::uint64_t, std::size(kEventTypes)>;

struct Batch {
  std::uint64_t first_seq = 0;
  std::uint32_t count = 0;
  CountByType by_type{};
  wire::ByteBuffer payload;

  [[nodiscard]] std::uint64_t last_seq() const { return first_seq + count - 1; }
};

class Outbox {
 public:
  Outbox(std::string source, std::uint64_t epoch, OutboxLimits limits);

  // Numbers the event and keeps it. The batch it is in can be sent after flush().
  void append(const Event& event);

  // Closes the batch being filled. Call once at the end of a loop turn.
  void flush();

  // The next batch to send, or null where all are sent or the window is full. Valid until the next call of
  // any member.
  [[nodiscard]] const Batch* next() const;
  void mark_sent(SteadyTime now);
  // For a sink that is done once it has the bytes, such as standard output.
  void confirm_sent();
  [[nodiscard]] wire::BatchHeader header(const Batch& batch) const;

  enum class PositionEffect { None, Progress, Resend, WentBack };
  // Takes a publisher's position for this source, or its announcement to every source.
  PositionEffect on_position(const wire::Position& position, SteadyTime now);

  [[nodiscard]] std::uint64_t last_seq() const { return next_seq_ - 1; }
  [[nodiscard]] std::uint64_t confirmed_seq() const { return confirmed_; }
  [[nodiscard]] std::uint64_t unconfirmed_events() const {
    return last_seq() - std::max(confirmed_, oldest_seq() - 1);
  }
  [[nodiscard]] std::size_t unconfirmed_bytes() const { return retained_bytes_; }
  [[nodiscard]] bool everything_confirmed() const { return batches_.empty(); }

  // Events dropped at the memory bound since the last call.
  CountByType take_dropped();

 private:
  [[nodiscard]] std::uint64_t oldest_seq() const {
    return batches_.empty() ? next_seq_ : batches_.front().first_seq;
  }
  void open_batch();
  void release_confirmed();
  void drop_oldest();
  void remove_front();
  void resend_from(std::uint64_t seq, SteadyTime now);

  std::string source_;
  std::uint64_t epoch_;
  OutboxLimits limits_;
  RingQueue<Batch> batches_;  // in order; the last one may still be open
  std::vector<wire::ByteBuffer> spare_buffers_;
  bool open_ = false;
  std::size_t sent_batches_ = 0;  // batches_[0, sent_batches_) are on their way
  std::size_t sent_bytes_ = 0;
  std::size_t retained_bytes_ = 0;
  std::uint64_t next_seq_ = 1;
  std::uint64_t sent_seq_max_ = 0;  // ever: no publisher can know of more
  std::uint64_t confirmed_ = 0;
  CountByType dropped_{};

  std::uint64_t publisher_instance_ = 0;
  std::uint64_t accepted_ = 0;
  SteadyTime progress_at_{};  // when `accepted_` last grew, or something was sent while nothing waited for it
};

}  // namespace mdpipe::reader

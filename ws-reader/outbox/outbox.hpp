#pragma once
// Keeps every event until md-publisher says that Redis has confirmed it. Events are numbered, encoded once
// into batches, sent in order within a window, and sent again from where the publisher stands. What waits
// lies in three places, in this order:
//
//   resident   in memory; the front of it is on its way
//   the tail   in the spool on disk alone
//   waiting    in memory, behind the tail
//
// A batch that is not confirmed soon is also written to the spool, so that it survives the reader. What an
// earlier life left in the spool goes first, under that life's epoch, and is confirmed before anything newer
// is sent. At the last bound the oldest events that are not on their way are replaced by gap events that say
// so. Decides everything and knows no socket; only the spool touches the disk.
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libshared/event/event.hpp"
#include "libshared/time/time.hpp"
#include "libshared/wire/byte_buffer.hpp"
#include "libshared/wire/link.hpp"
#include "ws-reader/outbox/batch.hpp"
#include "ws-reader/outbox/loss_report.hpp"
#include "ws-reader/outbox/ring_queue.hpp"
#include "ws-reader/outbox/sequence_log.hpp"
#include "ws-reader/outbox/spool.hpp"

namespace mdpipe::reader {

struct OutboxLimits {
  std::size_t retain_bytes_max = 64U << 20U;  // in memory
  std::size_t batch_bytes_max = 64U << 10U;   // a batch is closed once it is larger
  std::size_t window_bytes_max = 8U << 20U;   // sent and not yet confirmed; bounds what waits inside ZeroMQ
  std::size_t spool_bytes_max = 1U << 30U;    // on disk
};

// When batches are written to the spool.
enum class SpoolMode {
  Late,    // once they are not confirmed for `SpoolUse::after`, or memory is full
  Always,  // before they are sent
};

struct SpoolUse {
  Spool* spool = nullptr;  // borrowed; null keeps everything in memory
  SpoolMode mode = SpoolMode::Late;
  std::chrono::nanoseconds after = std::chrono::seconds(1);
};

// The life before this one, which ended with events that are in no spool. The publisher is asked how far it
// came, and told that nothing more of it comes, before anything of a later life is sent.
struct Predecessor {
  std::uint64_t epoch = 0;
  std::uint64_t confirmed = 0;  // up to here it was told
};

struct OutboxLives {
  SequenceLog* in_flight = nullptr;  // borrowed; where the events of this life are noted, null for nowhere
  std::optional<Predecessor> predecessor;
};

class Outbox {
 public:
  Outbox(std::string source, std::uint64_t epoch, OutboxLimits limits, Moment now, SpoolUse use = {},
         OutboxLives lives = {});

  // Numbers the event and keeps it. The batch it is in can be sent after flush().
  void append(const Event& event, Moment now);
  // Closes the batch being filled. Call once at the end of a loop turn.
  void flush(Moment now);
  // Writes to the spool what has waited long enough. Call a few times a second.
  void tick(Moment now);
  // Writes everything to the spool, at the end of the program. Returns the number of events that are in
  // memory alone.
  std::uint64_t keep(Moment now);

  // The next batch to send, or null where all are sent, the window is full, or an earlier life's events are
  // not confirmed yet. Valid until the next call of any member.
  [[nodiscard]] const Batch* next() const;
  void mark_sent(Moment now);
  // For a sink that is done once it has the bytes, such as standard output.
  void confirm_sent(Moment now);
  [[nodiscard]] wire::BatchHeader header(const Batch& batch, UnixNanos sent) const;
  // A header without events: tells the publisher that this reader lives and what it knows.
  [[nodiscard]] wire::BatchHeader heartbeat(UnixNanos sent) const;

  // Ask: the publisher needs a heartbeat now.
  enum class PositionEffect { None, Progress, Resend, RedisLostData, Refused, Ask };
  // Takes a publisher's position for this source, or its announcement to every source.
  PositionEffect on_position(const wire::Position& position, Moment now);

  [[nodiscard]] std::uint64_t last_seq() const { return next_seq_ - 1; }
  [[nodiscard]] std::uint64_t confirmed_seq() const { return peer_.confirmed; }
  [[nodiscard]] std::uint64_t unconfirmed_events() const;
  [[nodiscard]] std::size_t unconfirmed_bytes() const {
    return resident_bytes_ + waiting_bytes_ + open_.payload.size();
  }
  [[nodiscard]] std::size_t spool_bytes() const { return use_.spool == nullptr ? 0 : use_.spool->bytes(); }
  [[nodiscard]] bool everything_confirmed() const { return held_events_ == 0; }
  // How long the oldest event has waited; zero where there is none, very long for one of an earlier life.
  [[nodiscard]] std::chrono::nanoseconds oldest_age(SteadyTime now) const;

  // Events dropped at the last bound since the last call.
  LossReport::Losses take_losses() { return std::exchange(losses_, {}); }
  // How far the predecessor came, once it is known, and once.
  std::optional<std::uint64_t> take_settled() { return std::exchange(settled_, std::nullopt); }
  // What was kept for the next batches; they take new memory then.
  void drop_spare_memory();
  // Events lost with a damaged spool since the last call; which they were is not known.
  std::uint64_t take_damaged() { return std::exchange(damaged_events_, 0); }

 private:
  // What the publisher knows of the epoch at the front.
  struct Peer {
    std::uint64_t epoch = 0;
    std::uint64_t confirmed = 0;
    std::uint64_t accepted = 0;
    std::uint64_t sent_max = 0;  // ever: of our own epoch no publisher can know of more
    std::uint64_t lost_to = 0;   // of the last loss in Redis that was reported
  };
  // How the predecessor's end is waited for.
  struct PredecessorEnd {
    std::uint64_t accepted = 0, confirmed = 0;
    SteadyTime quiet_since{};  // when these two last changed, or Redis was away; zero before the first word
    bool closing = false;
  };

  [[nodiscard]] bool has_tail() const {
    return use_.spool != nullptr && use_.spool->last_row() > loaded_row_;
  }
  [[nodiscard]] std::uint64_t front_epoch() const;
  [[nodiscard]] bool is_after_predecessor(std::uint64_t epoch) const;
  [[nodiscard]] bool awaits_predecessor() const;
  PositionEffect await_predecessor(const wire::Position& position, PositionEffect effect, SteadyTime now);
  [[nodiscard]] std::size_t resident_bytes_max() const;
  void close_batch(Moment now);
  void place(Batch&& batch);
  bool spill(Moment now);
  void mark_spooled();
  void refill(Moment now);
  bool load_one(Moment now);
  void move_waiting();
  void enforce_limits(Moment now);
  bool drop_oldest(Moment now);
  void put_report(std::size_t at, bool merge, Batch&& report, Moment now);
  void release_confirmed(Moment now);
  void remove_front();
  void resend_from(std::uint64_t seq, SteadyTime now);
  void enter_front_epoch();
  void on_spool_set_aside();

  std::string source_;
  std::uint64_t epoch_;
  OutboxLimits limits_;
  SpoolUse use_;
  OutboxLives lives_;
  PredecessorEnd predecessor_end_;
  std::optional<std::uint64_t> settled_;

  Batch open_;  // being filled
  RingQueue<Batch> resident_, waiting_;
  std::size_t resident_bytes_ = 0, waiting_bytes_ = 0;
  std::size_t resident_spooled_ = 0;  // so many at the front of resident_ are in the spool too
  std::int64_t loaded_row_ = 0;  // the spool's rows up to here are resident or gone; the tail is behind it
  unsigned set_aside_seen_ = 0;
  std::vector<wire::ByteBuffer> spare_buffers_;
  std::vector<Batch*> to_spool_;

  std::size_t sent_batches_ = 0;  // resident_[0, sent_batches_) are on their way
  std::size_t sent_bytes_ = 0;
  std::uint64_t next_seq_ = 1;
  std::uint64_t held_events_ = 0;
  LossReport::Losses losses_;
  std::uint64_t damaged_events_ = 0;

  Peer peer_;
  std::uint64_t publisher_instance_ = 0;
  SteadyTime progress_at_{};  // when `accepted` last grew, or something was sent while nothing waited for it
};

}  // namespace mdpipe::reader

#pragma once
// Keeps every event until Redis has confirmed it. Each event is numbered and encoded once into a batch; a
// batch never changes afterwards. Batches stay in order, in three places:
//
//   resident   in memory; the first of them have been sent
//   tail       only in the spool on disk
//   waiting    in memory, behind the tail
//
// A batch that is not confirmed soon is also written to the spool, so that it survives the reader. Batches
// that a previous run left in the spool come first, under the epoch of that run. At the last limit the oldest
// unsent batches are replaced by gap events that report the loss. What the publisher knows is not kept here:
// see publisher_state.hpp. Reads no clock and knows no socket; only the spool touches the disk.
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "libshared/event/event.hpp"
#include "libshared/time/time.hpp"
#include "libshared/wire/byte_buffer.hpp"
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
  Late,    // once they are unconfirmed for `SpoolUse::after`, or memory is full
  Always,  // before they are sent
};

struct SpoolUse {
  Spool* spool = nullptr;  // borrowed; null keeps everything in memory
  SpoolMode mode = SpoolMode::Late;
  std::chrono::nanoseconds after = std::chrono::seconds(1);
};

class RetainedEvents {
 public:
  // `sequence_log` is borrowed; null if nothing is logged. Loads what the spool holds.
  RetainedEvents(std::uint64_t epoch, OutboxLimits limits, SpoolUse use, SequenceLog* sequence_log,
                 Moment now);

  // Numbers the event and adds it to the open batch. True once that has reached its limit: close it then.
  // (Without the time as an argument, because this runs for every event.)
  [[nodiscard]] bool append(const Event& event);
  void close_batch(Moment now);
  // Closes the open batch, if there is one.
  void flush(Moment now);
  // Writes to the spool what has waited long enough.
  void tick(Moment now);
  // Writes everything to the spool. Returns the number of events that are only in memory.
  std::uint64_t spool_all(Moment now);

  // The first unsent batch, or null if there is none, if the window is full, or if the batch belongs to a
  // later epoch than the front. Valid until the next call of a member that is not const.
  [[nodiscard]] const Batch* next() const {
    if (sent_batches_ >= resident_.size() || sent_bytes_ >= limits_.window_bytes_max) return nullptr;
    const Batch& batch = resident_[sent_batches_];
    return batch.epoch == resident_.front().epoch ? &batch : nullptr;
  }
  void mark_sent() {
    sent_bytes_ += resident_[sent_batches_].payload.size();
    ++sent_batches_;
  }
  // The last event that was sent and is not released; nothing if there is none.
  [[nodiscard]] std::optional<std::uint64_t> last_sent() const {
    if (sent_batches_ == 0) return std::nullopt;
    return resident_[sent_batches_ - 1].last_seq();
  }
  // Events of `epoch` up to `seq` count as sent; everything behind them is unsent again.
  void resend_after(std::uint64_t epoch, std::uint64_t seq);
  // Forgets the batches of `epoch` that end at `seq` or before, and loads more from the spool.
  void release(std::uint64_t epoch, std::uint64_t seq, Moment now);

  // The epoch of the oldest resident batch; this run's if there is none.
  [[nodiscard]] std::uint64_t front_epoch() const {
    return resident_.empty() ? epoch_ : resident_.front().epoch;
  }
  // The number of the event before the oldest resident one.
  [[nodiscard]] std::uint64_t seq_before_front() const {
    return resident_.empty() ? last_seq() - open_.count : resident_.front().follows;
  }
  [[nodiscard]] std::uint64_t last_seq() const { return next_seq_ - 1; }
  [[nodiscard]] bool empty() const { return held_events_ == 0; }
  // Without those of the front batch that are confirmed, if events of `epoch` are confirmed up to `seq`.
  [[nodiscard]] std::uint64_t unconfirmed_events(std::uint64_t epoch, std::uint64_t seq) const;
  [[nodiscard]] std::size_t memory_bytes() const {
    return resident_bytes_ + waiting_bytes_ + open_.payload.size();
  }
  [[nodiscard]] std::size_t spool_bytes() const { return use_.spool == nullptr ? 0 : use_.spool->bytes(); }
  // How long the oldest batch has waited; zero if there is none, very long for one of a previous run.
  [[nodiscard]] std::chrono::nanoseconds oldest_age(SteadyTime now) const;

  // Events dropped at the last limit since the last call.
  LossReport::Losses pop_losses() { return std::exchange(losses_, {}); }
  // Events lost with a damaged spool since the last call; which ones is not known.
  std::uint64_t pop_damaged_events() { return std::exchange(damaged_events_, 0); }
  // Frees the buffers that are kept for the next batches.
  void drop_spare_memory();

 private:
  [[nodiscard]] bool has_tail() const {
    return use_.spool != nullptr && use_.spool->last_row() > loaded_row_;
  }
  [[nodiscard]] std::size_t resident_bytes_max() const;
  [[nodiscard]] const Batch* oldest_unspooled() const;
  [[nodiscard]] std::uint64_t events_in_memory() const;
  void enqueue(Batch&& batch);
  bool write_to_spool(Moment now);
  void on_spooled();
  void refill(Moment now);
  bool load_one(Moment now);
  void on_damaged_batch(const Batch& batch, Moment now);
  void move_waiting();
  void check_set_aside();
  void enforce_limits(Moment now);
  bool drop_oldest(Moment now);
  Batch report_loss_of(const Batch& victim, const Batch* earlier_report, UnixNanos now);
  void replace(std::size_t at, Batch&& report, Moment now);
  void remove_report(std::size_t at, Moment now);
  void remove_front();

  std::uint64_t epoch_;
  OutboxLimits limits_;
  SpoolUse use_;
  SequenceLog* sequence_log_;

  Batch open_;  // being filled
  RingQueue<Batch> resident_, waiting_;
  std::size_t resident_bytes_ = 0, waiting_bytes_ = 0;
  std::size_t resident_spooled_ = 0;  // resident_[0, resident_spooled_) are in the spool too
  std::int64_t loaded_row_ = 0;       // the spool's rows up to here are resident or gone; the tail follows
  unsigned set_aside_seen_ = 0;
  std::vector<wire::ByteBuffer> spare_buffers_;
  std::vector<Batch*> to_spool_;  // a member to keep its memory

  std::size_t sent_batches_ = 0;  // resident_[0, sent_batches_) have been sent
  std::size_t sent_bytes_ = 0;
  std::uint64_t next_seq_ = 1;
  std::uint64_t held_events_ = 0;  // in memory, in the open batch and in the spool
  LossReport::Losses losses_;
  std::uint64_t damaged_events_ = 0;
};

}  // namespace mdpipe::reader

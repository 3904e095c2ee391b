#pragma once
// Delivers every event to md-publisher until Redis has confirmed it. Joins three objects: what is kept
// (retained_events.hpp), what the publisher knows (publisher_state.hpp), and the end of the previous run
// (predecessor_end.hpp). Batches are sent in order within a window, and sent again from the publisher's
// position. The events of a previous run are confirmed before anything newer is sent. Reads no clock and
// knows no socket.
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "libshared/event/event.hpp"
#include "libshared/time/time.hpp"
#include "libshared/wire/link.hpp"
#include "ws-reader/outbox/predecessor_end.hpp"
#include "ws-reader/outbox/publisher_state.hpp"
#include "ws-reader/outbox/retained_events.hpp"

namespace mdpipe::reader {

struct OutboxRuns {
  SequenceLog* sequence_log = nullptr;     // borrowed; logs the events of this run, null logs nothing
  std::optional<Predecessor> predecessor;  // the previous run, if it ended with events that are in no spool
};

class Outbox {
 public:
  Outbox(std::string source, std::uint64_t epoch, OutboxLimits limits, Moment now, SpoolUse use = {},
         OutboxRuns runs = {});

  // Numbers the event and keeps it. Its batch can be sent after flush().
  void append(const Event& event, Moment now) {
    if (!retained_.append(event)) return;
    retained_.close_batch(now);
    follow_front_epoch();
  }
  // Closes the batch being filled. Call once at the end of a loop turn.
  void flush(Moment now);
  // Writes to the spool what has waited long enough. Call a few times a second.
  void tick(Moment now);
  // Writes everything to the spool, at the end of the program. Returns the number of events that are only in
  // memory.
  std::uint64_t spool_all(Moment now);

  // The next batch to send; null if all are sent, if the window is full, or if events of a previous run are
  // not confirmed yet. Valid until the next call of a member that is not const.
  [[nodiscard]] const Batch* next() const {
    return awaited_predecessor() == nullptr ? retained_.next() : nullptr;
  }
  void mark_sent(Moment now);
  // For a sink that is done once it has the bytes, such as standard output.
  void confirm_sent(Moment now);
  [[nodiscard]] wire::BatchHeader header(const Batch& batch, UnixNanos sent) const;
  // A header without events: tells the publisher that this reader runs and what was confirmed to it.
  [[nodiscard]] wire::BatchHeader heartbeat(UnixNanos sent) const;

  enum class PositionEffect {
    None,
    Progress,
    Resend,
    RedisLostEvents,
    DuplicateReader,  // another reader of this name runs
    SendHeartbeat,    // the publisher needs one now
  };
  // Applies a publisher's position for this source, or its announcement to every source.
  PositionEffect on_position(const wire::Position& position, Moment now);

  [[nodiscard]] std::uint64_t last_seq() const { return retained_.last_seq(); }
  [[nodiscard]] std::uint64_t unconfirmed_events() const {
    return retained_.unconfirmed_events(publisher_.epoch(), publisher_.confirmed());
  }
  [[nodiscard]] std::size_t unconfirmed_bytes() const { return retained_.memory_bytes(); }
  [[nodiscard]] std::size_t spool_bytes() const { return retained_.spool_bytes(); }
  [[nodiscard]] bool everything_confirmed() const { return retained_.empty(); }
  // How long the oldest event has waited; zero if there is none, very long for one of a previous run.
  [[nodiscard]] std::chrono::nanoseconds oldest_age(SteadyTime now) const {
    return retained_.oldest_age(now);
  }

  // Events dropped at the last limit since the last call.
  LossReport::Losses pop_losses() { return retained_.pop_losses(); }
  // Events lost with a damaged spool since the last call; which ones is not known.
  std::uint64_t pop_damaged_events() { return retained_.pop_damaged_events(); }
  // The predecessor's last event in Redis: nothing until it is known, and nothing after this was called.
  std::optional<std::uint64_t> pop_predecessor_end() {
    return std::exchange(predecessor_reached_, std::nullopt);
  }
  void drop_spare_memory() { retained_.drop_spare_memory(); }

 private:
  // Not null once every event up to and of the predecessor's epoch that is kept here is confirmed.
  [[nodiscard]] const Predecessor* awaited_predecessor() const {
    return predecessor_.before(retained_.front_epoch(), epoch_);
  }
  PositionEffect await_predecessor(const wire::Position& position, PositionEffect effect, SteadyTime now);
  void follow_front_epoch();

  std::string source_;
  std::uint64_t epoch_;
  RetainedEvents retained_;
  PublisherState publisher_;
  PredecessorEnd predecessor_;
  std::optional<std::uint64_t> predecessor_reached_;
};

}  // namespace mdpipe::reader

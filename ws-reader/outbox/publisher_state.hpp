#pragma once
// What is known of md-publisher: which events of one epoch it has accepted and which of them Redis has
// confirmed. Facts and the time come in; what is to be sent again or forgotten comes out. Holds no event.
#include <cstdint>
#include <optional>

#include "libshared/time/time.hpp"
#include "libshared/wire/link.hpp"

namespace mdpipe::reader {

class PublisherState {
 public:
  // `epoch` is this run's.
  explicit PublisherState(std::uint64_t epoch) : own_epoch_(epoch) {}

  // From now on this is about the events of `epoch`, which are confirmed up to `confirmed`.
  void enter_epoch(std::uint64_t epoch, std::uint64_t confirmed);

  // The event `seq` was sent; before it, `last_sent` was the last one sent and not released.
  void on_sent(std::uint64_t seq, std::optional<std::uint64_t> last_sent, SteadyTime now);
  // For a sink that needs no publisher: whatever was sent is confirmed.
  void on_written(std::uint64_t seq) { confirmed_ = seq; }

  struct Reaction {
    bool is_for_us = false;            // the position is about the present epoch
    bool is_duplicate_reader = false;  // nothing else is set then
    bool is_new_publisher = false;
    bool redis_lost_events = false;
    bool has_confirmed = false;                 // confirmed() has grown
    std::optional<std::uint64_t> resend_after;  // everything behind this event has to be sent again
  };
  // A position for this source, or the publisher's announcement to every source. `last_sent` as for on_sent.
  Reaction on_position(const wire::Position& position, std::optional<std::uint64_t> last_sent,
                       SteadyTime now);

  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }
  [[nodiscard]] std::uint64_t confirmed() const { return confirmed_; }

 private:
  void apply_accepted(std::uint64_t accepted, SteadyTime now);
  [[nodiscard]] bool is_stalled(bool redis_up, std::optional<std::uint64_t> last_sent, SteadyTime now) const;

  std::uint64_t own_epoch_;
  std::uint64_t epoch_ = 0;
  std::uint64_t confirmed_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t sent_max_ = 0;       // ever: of our own epoch no publisher can know of more
  std::uint64_t redis_lost_to_ = 0;  // end of the last loss in Redis that was reported
  std::uint64_t instance_ = 0;       // of the publisher last heard; 0 before the first
  SteadyTime progress_at_{};  // when `accepted_` last grew, or something was sent while nothing waited for it
};

}  // namespace mdpipe::reader

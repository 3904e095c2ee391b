#include "ws-reader/outbox/publisher_state.hpp"

#include <algorithm>
#include <utility>

namespace mdpipe::reader {
namespace {

// A publisher that runs and accepts nothing of what was sent for this long has lost it: it is sent again.
constexpr auto kResendAfter = std::chrono::seconds(1);

}  // namespace

void PublisherState::enter_epoch(std::uint64_t epoch, std::uint64_t confirmed) {
  epoch_ = epoch;
  confirmed_ = accepted_ = confirmed;
  sent_max_ = 0;
  redis_lost_to_ = 0;
}

void PublisherState::on_sent(std::uint64_t seq, std::optional<std::uint64_t> last_sent, SteadyTime now) {
  const bool nothing_waits = !last_sent || *last_sent <= accepted_;
  if (nothing_waits) progress_at_ = now;
  sent_max_ = std::max(sent_max_, seq);
}

// A position about another epoch changes little, but it shows that the publisher runs, and a new publisher
// has accepted nothing that is not confirmed.
PublisherState::Reaction PublisherState::on_position(const wire::Position& position,
                                                     std::optional<std::uint64_t> last_sent, SteadyTime now) {
  Reaction reaction;
  reaction.is_duplicate_reader = position.epoch == own_epoch_ && position.refused;
  if (reaction.is_duplicate_reader) return reaction;
  reaction.is_for_us = position.epoch == epoch_;
  const std::uint64_t previous_instance = std::exchange(instance_, position.instance);
  reaction.is_new_publisher = position.instance != previous_instance;
  // The first publisher ever heard may have received everything; if not, it will seem stalled.
  const bool is_replaced = reaction.is_new_publisher && previous_instance != 0;
  // The publisher may know more of a previous run than what is left in the spool.
  const std::uint64_t known_max = epoch_ == own_epoch_ ? sent_max_ : ~std::uint64_t{0};

  const std::uint64_t accepted_before = accepted_;
  if (reaction.is_for_us) {
    apply_accepted(std::min(position.accepted, known_max), now);
    reaction.redis_lost_events = position.lost_to > std::exchange(redis_lost_to_, position.lost_to);
  } else if (reaction.is_new_publisher) {
    apply_accepted(confirmed_, now);
  }
  if (is_replaced || accepted_ < accepted_before || is_stalled(position.redis_up, last_sent, now)) {
    reaction.resend_after = accepted_;
    progress_at_ = now;
  }
  reaction.has_confirmed =
      reaction.is_for_us && position.confirmed > confirmed_ && position.confirmed <= known_max;
  if (reaction.has_confirmed) confirmed_ = position.confirmed;
  return reaction;
}

void PublisherState::apply_accepted(std::uint64_t accepted, SteadyTime now) {
  if (accepted > accepted_) progress_at_ = now;
  accepted_ = accepted;
}

bool PublisherState::is_stalled(bool redis_up, std::optional<std::uint64_t> last_sent, SteadyTime now) const {
  return last_sent && redis_up && now - progress_at_ >= kResendAfter && accepted_ < *last_sent;
}

}  // namespace mdpipe::reader

#include "ws-reader/feeds/silence_rule.hpp"

#include <algorithm>

namespace mdpipe::reader {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr Span kSlotSpan = minutes(5);
constexpr std::uint32_t kSlotEventsMin = 8;
constexpr Span kUsualMin = seconds(1);
// A silence of a few seconds is not worth a report.
constexpr Span kQuietMin = seconds(5);
// Until this much was received, the channel's floor is taken for the usual silence.
constexpr std::uint32_t kEventsToLearn = 20;
constexpr Span kTimeToLearn = seconds(60);
// Of arrivals at random with mean m the longest of a hundred silences is about 5 m. Silences of 1.5 times
// that come once in about 2,000, of 3 times that once in 3 million.
constexpr int kStaleTimes = 3;

Span quiet_of(Span usual) { return std::max(kQuietMin, usual * 3 / 2); }

}  // namespace

SilenceRule::SilenceRule(Span floor) : floor_(floor) { update(); }

void SilenceRule::set_floor(Span floor) {
  floor_ = floor;
  update();
}

void SilenceRule::on_event(SteadyTime now) {
  // A silence longer than the limit is remembered as the limit. So after one frozen feed the next one is
  // noticed at most three times later, and for a market that has become slow the reports stop after a few.
  const Span silence = std::min<Span>(now - last_, stale_after_);
  last_ = now;
  if (events_seen_ == 0) first_event_ = slot_since_ = now;
  bool changed = !has_learned_ && learn(now);
  if (now - slot_since_ >= kSlotSpan && slot_events_ >= kSlotEventsMin) next_slot(now);
  ++slot_events_;
  if (silence > longest_[slot_]) {
    longest_[slot_] = silence;
    changed = changed || silence > usual_;
  }
  if (changed) update();
}

void SilenceRule::next_slot(SteadyTime now) {
  slot_ = (slot_ + 1) % kSlots;
  longest_[slot_] = Span(0);
  slot_since_ = now;
  slot_events_ = 0;
  update();
}

// True once enough was received.
bool SilenceRule::learn(SteadyTime now) {
  ++events_seen_;
  has_learned_ = events_seen_ >= kEventsToLearn && now - first_event_ >= kTimeToLearn;
  return has_learned_;
}

void SilenceRule::update() {
  usual_ = std::max(kUsualMin, *std::max_element(longest_.begin(), longest_.end()));
  stale_after_ = std::max(floor_, kStaleTimes * usual_);
  quiet_after_ = quiet_of(has_learned_ ? usual_ : std::max(usual_, floor_ / kStaleTimes));
}

}  // namespace mdpipe::reader

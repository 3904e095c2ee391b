#include "ws-reader/feeds/feed_monitor.hpp"

#include <algorithm>
#include <utility>

#include "libshared/text/format.hpp"

namespace mdpipe::reader {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint32_t kNoFeed = ~std::uint32_t{0};
// If a tick is later than this, the process was stopped or starved.
constexpr Span kOwnPause = seconds(1);
// Reasons why the first events of a feed are missing.
constexpr std::string_view kStarted = "reader started";
constexpr std::string_view kAdded = "collected from here on";
constexpr Span kResubscribePauseMin = seconds(30);
constexpr Span kResubscribePauseMax = minutes(10);
constexpr Span kSilenceAllowedMax = hours(1);

// A sentence on the stack: changes are rare, but many can come at once.
using Text = FixedText<160>;

// "0.4 s", "12 s"
Text show(Span span) {
  const double seconds_count = std::chrono::duration<double>(span).count();
  return seconds_count < 10 ? Text("{:.1f} s", seconds_count) : Text("{:.0f} s", seconds_count);
}

}  // namespace

FeedMonitor::FeedMonitor(std::vector<venues::Subscription> subscriptions,
                         const venues::StaleAfter& stale_after, FeedSink& sink)
    : sink_(&sink), stale_after_(stale_after), symbols_(0) {
  feeds_.reserve(subscriptions.size());
  for (auto& wanted : subscriptions) append(std::move(wanted), kStarted);
  index_feeds();
}

void FeedMonitor::append(venues::Subscription what, std::string_view begun_by) {
  const Span floor = stale_after_[static_cast<std::size_t>(what.channel)];
  feeds_.push_back({std::move(what), SilenceRule(floor), begun_by});
}

void FeedMonitor::index_feeds() {
  symbols_ = StringIndex(feeds_.size());
  by_symbol_.clear();
  for (const Watched& feed : feeds_) {
    const std::uint32_t symbol = *symbols_.find_or_add(feed.what.symbol);
    if (symbol == by_symbol_.size()) by_symbol_.emplace_back().fill(kNoFeed);
    by_symbol_[symbol][static_cast<std::size_t>(feed.what.channel)] =
        static_cast<std::uint32_t>(index_of(feed));
  }
}

// Until its request was sent, the connection as a whole is not judged either.
void FeedMonitor::add(const std::vector<venues::Subscription>& subscriptions, std::string_view reason,
                      Moment now) {
  for (const venues::Subscription& wanted : subscriptions) {
    append(wanted, kAdded);
    sink_->on_added(wanted);
    feeds_.back().rule.restart(now.steady);
    set_state(feeds_.back(), connected_ ? FeedState::Pending : FeedState::Down, reason, now);
  }
  index_feeds();
  if (!subscriptions.empty()) subscribed_ = false;
}

void FeedMonitor::remove(const std::vector<venues::Subscription>& subscriptions, std::string_view reason,
                         Moment now) {
  for (const venues::Subscription& unwanted : subscriptions) {
    const auto feed = find(unwanted.channel, unwanted.symbol);
    if (!feed) continue;
    set_state(feeds_[*feed], FeedState::Ended, reason, now);
    feeds_.erase(feeds_.begin() + static_cast<std::ptrdiff_t>(*feed));
    sink_->on_removed(*feed);
    index_feeds();
  }
}

void FeedMonitor::set_stale_after(const venues::StaleAfter& stale_after) {
  stale_after_ = stale_after;
  for (Watched& feed : feeds_) feed.rule.set_floor(stale_after[static_cast<std::size_t>(feed.what.channel)]);
}

std::optional<std::size_t> FeedMonitor::find(EventType channel, std::string_view symbol) const {
  const auto known = symbols_.find(symbol);
  if (!known || channel == EventType::Feed) return std::nullopt;
  const std::uint32_t feed = by_symbol_[*known][static_cast<std::size_t>(channel)];
  if (feed == kNoFeed) return std::nullopt;
  return feed;
}

FeedMonitor::Watched* FeedMonitor::find_feed(EventType channel, std::string_view symbol) {
  const auto feed = find(channel, symbol);
  return feed ? &feeds_[*feed] : nullptr;
}

void FeedMonitor::announce(const Watched& feed, std::string_view reason, Moment now) {
  sink_->on_feed(index_of(feed), FeedChange{feed.what.channel, feed.state, feed.since, reason}, now);
}

void FeedMonitor::announce_gap(const Watched& feed, std::string_view reason, const MissingEvents& missing,
                               Moment now) {
  FeedChange change{feed.what.channel, FeedState::Gap, feed.is_broken ? feed.since : now.wall, reason};
  change.from = missing.from;
  change.to = missing.to;
  change.lost = missing.lost;
  sink_->on_feed(index_of(feed), change, now);
}

void FeedMonitor::set_state(Watched& feed, FeedState state, std::string_view reason, Moment now) {
  feed.state = state;
  feed.since = now.wall;
  announce(feed, reason, now);
}

void FeedMonitor::start(Moment now) {
  last_tick_ = now.steady;
  for (Watched& feed : feeds_) set_state(feed, FeedState::Pending, kStarted, now);
}

void FeedMonitor::on_connected(Moment now) {
  connected_ = true;
  subscribed_ = false;
  has_data_ = false;
  for (Watched& feed : feeds_) {
    feed.rule.restart(now.steady);
    if (feed.state != FeedState::Pending) set_state(feed, FeedState::Pending, "connected", now);
  }
}

void FeedMonitor::on_subscribed(Moment now) {
  subscribed_ = true;
  subscribed_at_ = now.steady;
  if (!has_data_) last_data_ = now.steady;
  for (Watched& feed : feeds_) {
    if (feed.awaits_first) feed.rule.restart(now.steady);
  }
}

void FeedMonitor::on_disconnected(std::string_view reason, Moment now) {
  connected_ = false;
  subscribed_ = false;
  for (Watched& feed : feeds_) {
    feed.awaits_first = true;
    feed.is_broken = false;
    feed.resubscribe_pause = Span(0);
    if (feed.state != FeedState::Down) set_state(feed, FeedState::Down, reason, now);
  }
}

void FeedMonitor::on_data(EventType channel, std::string_view symbol, Moment now) {
  Watched* feed = find_feed(channel, symbol);
  if (feed == nullptr || !connected_) return;
  if (now.steady - last_tick_ > kOwnPause) forgive_own_pause(now.steady);
  if (feed->state != FeedState::Live || feed->awaits_first) wake(*feed, now);
  feed->rule.on_event(now.steady);
  feed->last_recv = now.wall;
  last_data_ = now.steady;
  has_data_ = true;
  // A snapshot right after subscribing does not prove that data flows again.
  if (silent_reconnects_ > 0 && subscribed_ && now.steady - subscribed_at_ > silence_allowed_)
    silent_reconnects_ = 0;
}

void FeedMonitor::wake(Watched& feed, Moment now) {
  feed.resubscribe_pause = Span(0);
  if (std::exchange(feed.awaits_first, false)) {
    announce_gap(feed, feed.has_spoken ? "reconnected" : feed.begun_by, {feed.last_recv, now.wall, {}}, now);
    feed.has_spoken = true;
    if (!feed.is_broken) set_state(feed, FeedState::Live, "data", now);
  } else if (!feed.is_broken) {
    const Text reason("data again after {} of silence", show(feed.rule.silence(now.steady)).view());
    set_state(feed, FeedState::Live, reason.view(), now);
  }
}

void FeedMonitor::on_gap(EventType channel, std::string_view symbol, std::string_view reason,
                         const MissingEvents& missing, Moment now) {
  const Watched* feed = find_feed(channel, symbol);
  if (feed == nullptr) return;
  announce_gap(*feed, reason, missing, now);
  if (!feed->is_broken) announce(*feed, "as before the gap", now);
}

void FeedMonitor::on_gap_everywhere(std::string_view reason, Moment now) {
  for (const Watched& feed : feeds_) on_gap(feed.what.channel, feed.what.symbol, reason, {}, now);
}

void FeedMonitor::begin_gap(EventType channel, std::string_view symbol, std::string_view reason, Moment now) {
  Watched* feed = find_feed(channel, symbol);
  if (feed == nullptr || !connected_ || std::exchange(feed->is_broken, true)) return;
  set_state(*feed, FeedState::Gap, reason, now);
}

void FeedMonitor::end_gap(EventType channel, std::string_view symbol, Moment now) {
  Watched* feed = find_feed(channel, symbol);
  if (feed == nullptr || !std::exchange(feed->is_broken, false)) return;
  set_state(*feed, feed->awaits_first ? FeedState::Pending : FeedState::Live, "whole again", now);
}

void FeedMonitor::announce_all(std::string_view reason, Moment now) {
  for (const Watched& feed : feeds_) announce(feed, reason, now);
}

void FeedMonitor::tick(Moment now) {
  if (now.steady - last_tick_ > kOwnPause) forgive_own_pause(now.steady);
  last_tick_ = now.steady;
  if (!connected_ || feeds_.empty()) return;
  Span shortest = Span::max();
  Span longest{};
  for (Watched& feed : feeds_) {
    judge(feed, now);
    shortest = std::min(shortest, feed.rule.stale_after());
    longest = std::max(longest, feed.rule.stale_after());
  }
  if (subscribed_) watch_connection(shortest, longest, now.steady);
}

void FeedMonitor::judge(Watched& feed, Moment now) {
  if (feed.awaits_first && !subscribed_) return;  // its request may still wait to be sent
  const Span silence = feed.rule.silence(now.steady);
  const Span limit = feed.rule.stale_after();
  if (silence < std::min(limit, feed.rule.quiet_after())) return;
  if (silence < limit) {
    if (feed.state == FeedState::Live)
      set_state(feed, FeedState::Quiet, Text("nothing for {}", show(silence).view()).view(), now);
    return;
  }
  // Data of the other feeds shows whether the feed or the connection is at fault.
  const bool siblings_have_data = has_data_ && now.steady - last_data_ < limit / 2;
  if (feed.state == FeedState::Live || feed.state == FeedState::Quiet) {
    const Text reason("nothing for {}, {}", show(silence).view(),
                      siblings_have_data ? "while others have data" : "the whole connection is silent");
    set_state(feed, FeedState::Stale, reason.view(), now);
  }
  if (siblings_have_data) resubscribe_when_due(feed, now.steady);
}

void FeedMonitor::resubscribe_when_due(Watched& feed, SteadyTime now) {
  const bool asked = feed.resubscribe_pause.count() > 0;
  if (asked && now < feed.resubscribe_at) return;
  if (!sink_->resubscribe(index_of(feed))) return;
  feed.resubscribe_pause =
      asked ? std::min(feed.resubscribe_pause * 2, kResubscribePauseMax) : kResubscribePauseMin;
  feed.resubscribe_at = now + feed.resubscribe_pause;
}

// The whole connection is silent if every feed is beyond its limit, or if nothing was received for twice the
// shortest limit: slow feeds, whose limit can be an hour, are then not waited for.
void FeedMonitor::watch_connection(Span shortest, Span longest, SteadyTime now) {
  Span allowed = std::min(longest, 2 * shortest);
  for (unsigned i = 0; i < silent_reconnects_ && allowed < kSilenceAllowedMax; ++i)
    allowed = std::min(2 * allowed, kSilenceAllowedMax);
  const Span silence = now - std::max(last_data_, subscribed_at_);
  if (silence < allowed) return;
  ++silent_reconnects_;
  silence_allowed_ = allowed;
  sink_->reconnect(Text("no data on the whole connection for {}", show(silence).view()).view());
}

void FeedMonitor::forgive_own_pause(SteadyTime now) {
  const Span excess = now - last_tick_ - kTickInterval;
  last_tick_ = now;
  last_data_ = std::min(last_data_ + excess, now);
  subscribed_at_ = std::min(subscribed_at_ + excess, now);
  for (Watched& feed : feeds_) {
    feed.rule.forgive(excess, now);
    feed.resubscribe_at += excess;
  }
}

}  // namespace mdpipe::reader

#include "ws-reader/feeds/feed_publisher.hpp"

#include <utility>

namespace mdpipe::reader {

using metrics::Metric;

FeedPublisher::FeedPublisher(metrics::MetricsCollector& collector, std::string exchange,
                             const std::vector<venues::Subscription>& subscriptions, Actions actions)
    : collector_(collector), exchange_(std::move(exchange)), actions_(std::move(actions)) {
  feeds_.reserve(subscriptions.size());
  for (const auto& wanted : subscriptions) on_added(wanted);
}

void FeedPublisher::on_added(const venues::Subscription& what) {
  const std::string_view channel = to_string(what.channel);
  Published feed;
  feed.what = what;
  feed.state_series = collector_.series(Metric::FeedState, {exchange_, channel, what.symbol});
  feed.since_series = collector_.series(Metric::FeedStateSince, {exchange_, channel, what.symbol});
  feed.resubscribes = collector_.series(Metric::Resubscribes, {exchange_, channel});
  feeds_.push_back(std::move(feed));
}

void FeedPublisher::on_removed(std::size_t feed) {
  collector_.withdraw(feeds_[feed].state_series);
  collector_.withdraw(feeds_[feed].since_series);
  feeds_.erase(feeds_.begin() + static_cast<std::ptrdiff_t>(feed));
}

void FeedPublisher::on_feed(std::size_t feed, const Feed& change, UnixNanos now) {
  Published& known = feeds_[feed];
  actions_.keep(Event{exchange_, known.what.symbol, UnixNanos{}, now, change});
  collector_.set(known.state_series, static_cast<double>(change.state));
  collector_.set(known.since_series, static_cast<double>(change.since.count) * 1e-9);
  log_change(known, change);
  known.state = change.state;
}

// What comes with starting and losing a connection is in the log already.
void FeedPublisher::log_change(const Published& feed, const Feed& change) {
  const bool is_stale = change.state == FeedState::Stale;
  const bool is_back = change.state == FeedState::Live && feed.state == FeedState::Stale;
  if (!is_stale && !is_back) return;
  const auto suppressed = (is_stale ? stale_limit_ : back_limit_).admit(steady_now());
  if (!suppressed) return;
  log::write(is_stale ? log::Level::Warn : log::Level::Info,
             is_stale ? "a feed went silent" : "a feed is live again",
             {{"channel", to_string(change.channel)},
              {"symbol", feed.what.symbol},
              {"reason", change.reason},
              {"suppressed", *suppressed}});
}

bool FeedPublisher::resubscribe(std::size_t feed) {
  const Published& known = feeds_[feed];
  if (!actions_.resubscribe(known.what)) return false;
  collector_.add(known.resubscribes);
  return true;
}

void FeedPublisher::reconnect(std::string_view reason) { actions_.reconnect(std::string(reason)); }

}  // namespace mdpipe::reader

#include "ws-reader/feed_publisher.hpp"

#include <utility>

namespace mdpipe::reader {

using metrics::Metric;

FeedPublisher::FeedPublisher(metrics::MetricsCollector& collector, std::string exchange,
                             const std::vector<venues::Subscription>& subscriptions, EventWriter& writer,
                             FeedCallbacks callbacks)
    : collector_(collector),
      exchange_(std::move(exchange)),
      writer_(writer),
      callbacks_(std::move(callbacks)) {
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

void FeedPublisher::on_feed(std::size_t feed, const FeedChange& change, Moment now) {
  Published& known = feeds_[feed];
  writer_.write({exchange_, known.what.symbol, UnixNanos{}, now.wall, change}, now);
  collector_.set(known.state_series, static_cast<double>(change.state));
  collector_.set(known.since_series, static_cast<double>(change.since.count) * 1e-9);
  log_change(known, change);
  known.state = change.state;
}

// Only silence is logged here; the session logs connections that open and close.
void FeedPublisher::log_change(const Published& feed, const FeedChange& change) {
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
  if (!callbacks_.resubscribe(known.what)) return false;
  collector_.add(known.resubscribes);
  return true;
}

void FeedPublisher::reconnect(std::string_view reason) { callbacks_.reconnect(std::string(reason)); }

}  // namespace mdpipe::reader

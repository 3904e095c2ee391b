#include "ws-reader/feeds/feed_publisher.hpp"

#include <utility>

namespace mdpipe::reader {

using metrics::Metric;

FeedPublisher::FeedPublisher(metrics::MetricsCollector& collector, std::string exchange,
                             std::vector<venues::Subscription> subscriptions, Actions actions)
    : collector_(collector), exchange_(std::move(exchange)), actions_(std::move(actions)) {
  feeds_.reserve(subscriptions.size());
  for (auto& wanted : subscriptions) {
    const std::string_view channel = to_string(wanted.channel);
    Published feed;
    feed.state_series = collector.series(Metric::FeedState, {exchange_, channel, wanted.symbol});
    feed.since_series = collector.series(Metric::FeedStateSince, {exchange_, channel, wanted.symbol});
    feed.resubscribes = collector.series(Metric::Resubscribes, {exchange_, channel});
    feed.what = std::move(wanted);
    feeds_.push_back(std::move(feed));
  }
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

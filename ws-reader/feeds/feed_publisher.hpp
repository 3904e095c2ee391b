#pragma once
// Makes the changes that FeedMonitor decides known: as events of type `feed` in order with all others, as
// metrics, and in the log. What is to be done about them it passes on. Decides nothing.
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/log/log.hpp"
#include "libshared/metrics/collector.hpp"
#include "ws-reader/feeds/feed_monitor.hpp"

namespace mdpipe::reader {

class FeedPublisher final : public FeedSink {
 public:
  struct Actions {
    std::function<void(const Event& event)> keep;
    std::function<bool(const venues::Subscription& subscription)> resubscribe;
    std::function<void(const std::string& reason)> reconnect;
  };

  // Borrows the collector for its life. Makes the series of `subscriptions` at once.
  FeedPublisher(metrics::MetricsCollector& collector, std::string exchange,
                const std::vector<venues::Subscription>& subscriptions, Actions actions);

  void on_feed(std::size_t feed, const Feed& change, UnixNanos now) override;
  void on_added(const venues::Subscription& what) override;
  void on_removed(std::size_t feed) override;
  bool resubscribe(std::size_t feed) override;
  void reconnect(std::string_view reason) override;

 private:
  struct Published {
    venues::Subscription what;
    FeedState state = FeedState::Pending;
    metrics::Series state_series, since_series, resubscribes;
  };
  void log_change(const Published& feed, const Feed& change);

  metrics::MetricsCollector& collector_;
  std::string exchange_;
  std::vector<Published> feeds_;  // as FeedMonitor numbers them
  Actions actions_;
  log::RateLimit stale_limit_, back_limit_;
};

}  // namespace mdpipe::reader

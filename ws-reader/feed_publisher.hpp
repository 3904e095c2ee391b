#pragma once
// Publishes the changes that FeedMonitor decides: as events of type `feed`, in order with all other events,
// as metrics, and in the log. Passes on the monitor's requests. Decides nothing.
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/log/log.hpp"
#include "libshared/metrics/collector.hpp"
#include "ws-reader/event_writer.hpp"
#include "ws-reader/feeds/feed_monitor.hpp"

namespace mdpipe::reader {

// What the feeds ask of the source of frames.
struct FeedCallbacks {
  // False if nothing was done; the monitor asks again.
  std::function<bool(const venues::Subscription& subscription)> resubscribe;
  std::function<void(const std::string& reason)> reconnect;
};

class FeedPublisher final : public FeedSink {
 public:
  // Borrows collector and writer, which must outlive it. Makes the metrics of `subscriptions` at once.
  FeedPublisher(metrics::MetricsCollector& collector, std::string exchange,
                const std::vector<venues::Subscription>& subscriptions, EventWriter& writer,
                FeedCallbacks callbacks);

  void on_feed(std::size_t feed, const FeedChange& change, Moment now) override;
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
  void log_change(const Published& feed, const FeedChange& change);

  metrics::MetricsCollector& collector_;
  std::string exchange_;
  std::vector<Published> feeds_;  // as FeedMonitor numbers them
  EventWriter& writer_;
  FeedCallbacks callbacks_;
  log::RateLimit stale_limit_, back_limit_;
};

}  // namespace mdpipe::reader

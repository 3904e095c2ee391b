#include "libshared/metrics/collector.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace mdpipe::metrics {
namespace {

using namespace std::chrono_literals;

CollectorOptions reader() {
  CollectorOptions options;
  options.component = "ws-reader";
  options.source = "gmo";
  options.exchange = "gmo";
  return options;
}

// The total of a series in a message that names it.
std::uint64_t total_of(const Delta& delta, std::string_view name, const std::vector<std::string>& labels) {
  const auto series = std::find_if(delta.series.begin(), delta.series.end(),
                                   [&](const auto& one) { return one.name == name && one.labels == labels; });
  if (series == delta.series.end()) return ~std::uint64_t{0};
  for (const auto& [id, total] : delta.counters) {
    if (id == series->id) return total;
  }
  return ~std::uint64_t{0};
}

TEST(Collector, counts_through_the_short_forms) {
  MetricsCollector collector(reader());
  collector.increment_received("ticker", "BTC_JPY");
  collector.increment_received("ticker", "BTC_JPY");
  collector.increment_published("md:ticker", "BTC_JPY");
  collector.increment_error("parse_error");
  collector.increment_reconnect();
  Delta delta;
  collector.snapshot(true, delta);
  EXPECT_EQ(total_of(delta, "collector_messages_received_total", {"gmo", "ticker", "BTC_JPY"}), 2U);
  EXPECT_EQ(total_of(delta, "collector_messages_published_total", {"gmo", "md:ticker", "BTC_JPY"}), 1U);
  EXPECT_EQ(total_of(delta, "collector_errors_total", {"ws-reader", "parse_error"}), 1U);
  EXPECT_EQ(total_of(delta, "collector_reconnects_total", {"gmo"}), 1U);
}

TEST(Collector, error_types_are_known_as_zero_from_the_start) {
  MetricsCollector collector(reader());
  Delta delta;
  collector.snapshot(true, delta);
  for (const auto type : error_type::kAll) {
    EXPECT_EQ(total_of(delta, "collector_errors_total", {"ws-reader", std::string(type)}), 0U) << type;
  }
}

TEST(Collector, between_full_messages_only_what_changed_of_late_travels) {
  MetricsCollector collector(reader());
  const Series ticker = collector.series(Metric::MessagesReceived, {"gmo", "ticker", "BTC_JPY"});
  Delta delta;
  for (int i = 0; i < 10; ++i) collector.snapshot(true, delta);
  collector.snapshot(false, delta);
  EXPECT_TRUE(delta.series.empty());
  EXPECT_TRUE(delta.counters.empty());
  collector.add(ticker, 5);
  collector.snapshot(false, delta);
  ASSERT_EQ(delta.counters.size(), 1U);
  EXPECT_EQ(delta.counters[0].second, 5U);
  EXPECT_EQ(delta.n, 12U);
}

// Goal: a lost message costs nothing even if nothing changes afterwards. Ten messages, a full one among them,
// carry each change.
TEST(Collector, a_change_travels_ten_times) {
  MetricsCollector collector(reader());
  const Series ticker = collector.series(Metric::MessagesReceived, {"gmo", "ticker", "BTC_JPY"});
  Delta delta;
  for (int i = 0; i < 10; ++i) collector.snapshot(true, delta);
  collector.add(ticker, 5);
  for (int i = 0; i < 10; ++i) {
    collector.snapshot(false, delta);
    EXPECT_EQ(delta.counters.size(), 1U) << i;
  }
  collector.snapshot(false, delta);
  EXPECT_TRUE(delta.counters.empty());
}

TEST(Collector, a_new_series_is_named_in_three_messages) {
  MetricsCollector collector(reader());
  Delta delta;
  for (int i = 0; i < 10; ++i) collector.snapshot(true, delta);
  collector.increment_received("trade", "ETH_JPY");
  for (int i = 0; i < 3; ++i) {
    collector.snapshot(false, delta);
    ASSERT_EQ(delta.series.size(), 1U);
    EXPECT_EQ(delta.series[0].labels[2], "ETH_JPY");
  }
  collector.increment_received("trade", "ETH_JPY");
  collector.snapshot(false, delta);
  EXPECT_TRUE(delta.series.empty());
  EXPECT_EQ(delta.counters.size(), 1U);
}

TEST(Collector, observations_fall_into_their_bounds) {
  MetricsCollector collector(reader());
  const Series latency = collector.series(Metric::PublishLatency, {"gmo", "md:ticker"});
  collector.observe(latency, 100us);  // a bound belongs to its bucket
  collector.observe(latency, 101us);
  collector.observe(latency, 11s);  // beyond the last bound
  Delta delta;
  collector.snapshot(true, delta);
  ASSERT_EQ(delta.histograms.size(), 1U);
  const HistogramTotals& totals = delta.histograms[0].second;
  EXPECT_EQ(totals.count, 3U);
  EXPECT_EQ(totals.bounds[0], 1U);
  EXPECT_EQ(totals.bounds[1], 1U);
  EXPECT_EQ(totals.bounds.back(), 0U);
  EXPECT_EQ(totals.buckets.size(), 3U);
  EXPECT_DOUBLE_EQ(totals.sum_ns, 100e3 + 101e3 + 11e9);
}

TEST(Collector, at_the_limit_series_are_refused_and_counted) {
  CollectorOptions options = reader();
  options.series_max = MetricsCollector(options).series_count() + 1;
  MetricsCollector collector(options);
  collector.increment_received("ticker", "A");
  collector.increment_received("ticker", "B");
  collector.increment_received("ticker", "B");
  Delta delta;
  collector.snapshot(true, delta);
  EXPECT_EQ(total_of(delta, "collector_messages_received_total", {"gmo", "ticker", "A"}), 1U);
  EXPECT_EQ(total_of(delta, "collector_metric_series_dropped_total", {"ws-reader"}), 2U);
  EXPECT_EQ(collector.series_count(), options.series_max);
}

TEST(Collector, reset_begins_a_new_epoch_and_keeps_the_series) {
  MetricsCollector collector(reader());
  const Series ticker = collector.series(Metric::MessagesReceived, {"gmo", "ticker", "BTC_JPY"});
  collector.add(ticker, 5);
  Delta before;
  collector.snapshot(true, before);
  collector.reset();
  collector.add(ticker, 2);
  Delta after;
  collector.snapshot(false, after);
  EXPECT_GT(after.epoch, before.epoch);
  EXPECT_EQ(after.n, 1U);
  EXPECT_EQ(total_of(after, "collector_messages_received_total", {"gmo", "ticker", "BTC_JPY"}), 2U);
}

TEST(Collector, where_metrics_are_off_nothing_is_counted) {
  CollectorOptions options = reader();
  options.enabled = false;
  MetricsCollector collector(options);
  collector.increment_received("ticker", "BTC_JPY");
  collector.observe(collector.series(Metric::PublishLatency, {"gmo", "md:ticker"}), 1ms);
  EXPECT_EQ(collector.series_count(), 0U);
}

}  // namespace
}  // namespace mdpipe::metrics

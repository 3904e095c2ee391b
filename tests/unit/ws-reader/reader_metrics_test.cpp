#include "ws-reader/reader_metrics.hpp"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/ws-reader/outbox/outbox_support.hpp"

namespace mdpipe::reader {
namespace {

// What a full snapshot holds, by "name{label,label}".
struct Snapshot {
  std::map<std::string, double> values;
  std::map<std::string, metrics::HistogramTotals> histograms;
};

struct ReaderMetricsTest : testing::Test {
  metrics::MetricsCollector collector{{"ws-reader", "src", "gmo", true, 1000}};
  ReaderMetrics reader_metrics{collector, "gmo", {{EventType::Trade, "BTC_JPY"}}};

  Snapshot snapshot() {
    metrics::Delta delta;
    collector.snapshot(true, delta);
    std::map<metrics::SeriesId, std::string> names;
    for (const auto& series : delta.series) {
      std::string labels;
      for (const auto label : series.labels) labels.append(labels.empty() ? "" : ",").append(label);
      names[series.id] = std::string(series.name) + "{" + labels + "}";
    }
    Snapshot out;
    for (const auto& [id, total] : delta.counters) out.values[names[id]] = static_cast<double>(total);
    for (const auto& [id, value] : delta.gauges) out.values[names[id]] = value;
    for (const auto& [id, totals] : delta.histograms) out.histograms[names[id]] = totals;
    return out;
  }
  double value(const std::string& name) { return snapshot().values.at(name); }
};

Event trade_after(std::int64_t latency_ns) {
  Event event = trade();
  event.ts = UnixNanos{1'700'000'000'000'000'000};
  event.recv = UnixNanos{event.ts.count + latency_ns};
  return event;
}

TEST_F(ReaderMetricsTest, series_of_subscriptions_are_there_with_zero_from_the_start) {
  EXPECT_EQ(value("collector_messages_received_total{gmo,trade,BTC_JPY}"), 0);
  EXPECT_EQ(value("collector_reconnects_total{gmo}"), 0);
  EXPECT_EQ(value("collector_connection_up{gmo}"), 0);
  EXPECT_EQ(value("collector_errors_total{ws-reader,parse_error}"), 0);
}

TEST_F(ReaderMetricsTest, counts_events_bytes_and_the_time_of_the_last_one) {
  reader_metrics.event(trade_after(5'000'000), 120);
  reader_metrics.event(trade_after(7'000'000), 80);
  EXPECT_EQ(value("collector_messages_received_total{gmo,trade,BTC_JPY}"), 2);
  EXPECT_EQ(value("collector_received_bytes_total{gmo,trade,BTC_JPY}"), 200);
  EXPECT_NEAR(value("collector_last_message_timestamp_seconds{gmo,trade,BTC_JPY}"), 1'700'000'000.007, 1e-6);
  const auto totals = snapshot().histograms.at("collector_exchange_latency_seconds{gmo,trade}");
  EXPECT_EQ(totals.count, 2U);
  EXPECT_EQ(totals.sum_ns, 12e6);
}

TEST_F(ReaderMetricsTest, a_latency_below_zero_is_counted_and_not_clipped) {
  reader_metrics.event(trade_after(-1), 1);
  reader_metrics.event(trade_after(0), 1);
  EXPECT_EQ(value("collector_negative_latency_total{gmo}"), 1);
  EXPECT_EQ(snapshot().histograms.at("collector_exchange_latency_seconds{gmo,trade}").count, 1U);
}

TEST_F(ReaderMetricsTest, an_event_without_exchange_time_has_no_latency) {
  Event event = trade_after(5);
  event.ts = UnixNanos{0};
  reader_metrics.event(event, 1);
  EXPECT_EQ(value("collector_messages_received_total{gmo,trade,BTC_JPY}"), 1);
  EXPECT_EQ(snapshot().histograms.at("collector_exchange_latency_seconds{gmo,trade}").count, 0U);
}

TEST_F(ReaderMetricsTest, the_clock_offset_is_the_smallest_latency_of_a_minute) {
  const SteadyTime start{std::chrono::hours(5)};
  reader_metrics.update_clock_offset(start);
  reader_metrics.event(trade_after(-3'000'000), 1);
  reader_metrics.event(trade_after(9'000'000), 1);
  reader_metrics.update_clock_offset(start + std::chrono::seconds(59));
  EXPECT_EQ(value("collector_clock_offset_seconds{gmo}"), 0);
  reader_metrics.update_clock_offset(start + std::chrono::seconds(60));
  EXPECT_NEAR(value("collector_clock_offset_seconds{gmo}"), -0.003, 1e-9);
}

TEST_F(ReaderMetricsTest, each_kind_of_refused_frame_has_its_error_type) {
  reader_metrics.frame(venues::FrameResult::rejected("why"), "x");
  reader_metrics.frame(venues::FrameResult::unknown_channel("why"), "x");
  reader_metrics.frame(venues::FrameResult::api_error(), "x");
  reader_metrics.frame_too_large(100, 10);
  reader_metrics.binary_frame("x");
  reader_metrics.unknown_symbol("X");
  reader_metrics.connection_failed();
  for (const auto* type : {"parse_error", "unknown_channel", "api_error", "frame_too_large", "binary_frame",
                           "unknown_symbol", "connection_error"}) {
    EXPECT_EQ(value(std::string("collector_errors_total{ws-reader,") + type + "}"), 1) << type;
  }
}

TEST_F(ReaderMetricsTest, follows_the_connection) {
  reader_metrics.connected(false);
  EXPECT_EQ(value("collector_connection_up{gmo}"), 1);
  EXPECT_EQ(value("collector_reconnects_total{gmo}"), 0);
  reader_metrics.disconnected();
  EXPECT_EQ(value("collector_connection_up{gmo}"), 0);
  reader_metrics.connected(true);
  EXPECT_EQ(value("collector_reconnects_total{gmo}"), 1);
}

TEST_F(ReaderMetricsTest, shows_what_the_outbox_holds_and_dropped) {
  Outbox outbox("gmo", 1, {}, {});
  outbox.append(trade(), {});
  reader_metrics.outbox(outbox);
  reader_metrics.dropped(EventType::Ticker, "BTC_JPY", metrics::DropReason::Retention, 3);
  reader_metrics.conflated(EventType::OrderBook, "BTC_JPY", 2);
  EXPECT_EQ(value("collector_unconfirmed_events{src}"), 1);
  EXPECT_GT(value("collector_unconfirmed_bytes{src}"), 0);
  EXPECT_EQ(value("collector_dropped_events_total{ws-reader,gmo,ticker,BTC_JPY,retention}"), 3);
  EXPECT_EQ(value("collector_conflated_events_total{gmo,orderbook,BTC_JPY}"), 2);
}

}  // namespace
}  // namespace mdpipe::reader

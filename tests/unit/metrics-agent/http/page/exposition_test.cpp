#include "metrics-agent/http/page/exposition.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/unit/metrics-agent/fake_component.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;
using testing::HasSubstr;
using testing::Not;

class ExpositionTest : public testing::Test {
 protected:
  ExpositionTest() {
    reader_.counter(Metric::MessagesReceived, kTicker, 150)
        .counter(Metric::Errors, {"ws-reader", "parse_error"}, 0)
        .gauge(Metric::LastMessageTimestamp, kTicker, 1703689200.25)
        .gauge(Metric::ProcessCpuSeconds, {"ws-reader", "gmo"}, 0.5);
    publisher_.counter(Metric::MessagesPublished, {"gmo", "md:ticker", "BTC_JPY"}, 149)
        .counter(Metric::Errors, {"md-publisher", "publish_error"}, 2)
        .histogram(Metric::PublishLatency, {"gmo", "md:ticker"}, 4, 1'500'000);
    store_.apply(reader_.message(), at(0.5));
    store_.apply(publisher_.message(), at(0.5));
  }
  std::string text(NameProfile profile, TextFormat format = TextFormat::Prometheus) const {
    return make_exposition(store_, profile, {format, false});
  }

  SnapshotStore store_{StoreLimits{}};
  FakeComponent reader_{"ws-reader", "gmo"}, publisher_{"md-publisher", "main"};
};

TEST_F(ExpositionTest, default_names) {
  const std::string out = text(NameProfile::Collector);
  EXPECT_THAT(
      out,
      HasSubstr(
          "# HELP collector_messages_received_total Events read from the exchange.\n"
          "# TYPE collector_messages_received_total counter\n"
          "collector_messages_received_total{exchange=\"gmo\",channel=\"ticker\",symbol=\"BTC_JPY\"} 150\n"));
  EXPECT_THAT(out,
              HasSubstr("collector_errors_total{component=\"ws-reader\",error_type=\"parse_error\"} 0\n"));
  EXPECT_THAT(out, HasSubstr("# TYPE process_cpu_seconds_total counter\n"));
  EXPECT_THAT(out, HasSubstr("process_cpu_seconds_total{component=\"ws-reader\",source=\"gmo\"} 0.5\n"));
  EXPECT_THAT(out, HasSubstr("collector_component_up{component=\"ws-reader\",source=\"gmo\"} 1\n"));
  EXPECT_THAT(out, HasSubstr("collector_component_last_seen_timestamp_seconds{component=\"ws-reader\",source="
                             "\"gmo\"} 17000000"));
  EXPECT_THAT(out, HasSubstr("collector_last_message_timestamp_seconds{exchange=\"gmo\",channel=\"ticker\","
                             "symbol=\"BTC_JPY\"} 17036892"));
}

TEST_F(ExpositionTest, a_state_is_one_series_for_each_that_there_is) {
  store_.apply(reader_.gauge(Metric::FeedState, kTicker, 3).message(), at(1));
  const std::string out = text(NameProfile::Collector);
  EXPECT_THAT(out, HasSubstr("# TYPE collector_feed_state gauge\n"));
  const std::string series =
      "collector_feed_state{exchange=\"gmo\",channel=\"ticker\",symbol=\"BTC_JPY\",state=";
  for (const char* other : {"pending", "live", "quiet", "gap", "down"})
    EXPECT_THAT(out, HasSubstr(series + '"' + other + "\"} 0\n"));
  EXPECT_THAT(out, HasSubstr(series + "\"stale\"} 1\n"));
}

TEST_F(ExpositionTest, histogram_buckets_are_cumulative) {
  const std::string out = text(NameProfile::Collector);
  const std::string name = "collector_publish_latency_seconds";
  const std::string labels = "exchange=\"gmo\",stream=\"md:ticker\"";
  EXPECT_THAT(out, HasSubstr(name + "_count{" + labels + "} 4\n"));
  EXPECT_THAT(out, HasSubstr(name + "_bucket{" + labels + ",le=\"0.001\"} 0\n"));
  EXPECT_THAT(out, HasSubstr(name + "_bucket{" + labels + ",le=\"0.002\"} 4\n"));
  EXPECT_THAT(out, HasSubstr(name + "_bucket{" + labels + ",le=\"10\"} 4\n"));
  EXPECT_THAT(out, HasSubstr(name + "_bucket{" + labels + ",le=\"+Inf\"} 4\n"));
  EXPECT_THAT(out, HasSubstr(name + "_sum{" + labels + "} 0.006"));
}

TEST_F(ExpositionTest, ws_names) {
  const std::string out = text(NameProfile::Ws);
  const std::string labels = "{exchange=\"gmo\",type=\"ticker\",symbol=\"BTC_JPY\"}";
  EXPECT_THAT(out, HasSubstr("ws_events_received_total" + labels + " 150\n"));
  EXPECT_THAT(out, HasSubstr("ws_events_published_total" + labels + " 149\n"));
  EXPECT_THAT(out, HasSubstr("redis_publish_errors_total 2\n"));
  EXPECT_THAT(out, HasSubstr("last_message_timestamp" + labels + " 17036892"));
  EXPECT_THAT(out, Not(HasSubstr("collector_messages_received_total")));
  EXPECT_THAT(out, HasSubstr("collector_component_up"));  // has no ws name
}

TEST_F(ExpositionTest, ws_latency_is_in_milliseconds_with_ten_buckets) {
  const std::string out = text(NameProfile::Ws);
  const std::string name = "redis_publish_latency_ms";
  const std::string labels = "exchange=\"gmo\",type=\"ticker\"";
  EXPECT_THAT(out, HasSubstr(name + "_bucket{" + labels + ",le=\"1\"} 0\n"));
  EXPECT_THAT(out, HasSubstr(name + "_bucket{" + labels + ",le=\"2\"} 4\n"));
  EXPECT_THAT(out, HasSubstr(name + "_bucket{" + labels + ",le=\"1000\"} 4\n"));
  EXPECT_THAT(out, HasSubstr(name + "_sum{" + labels + "} 6\n"));
  std::size_t buckets = 0;
  for (std::size_t at = out.find(name + "_bucket"); at != std::string::npos;
       at = out.find(name + "_bucket", at + 1)) {
    ++buckets;
  }
  EXPECT_EQ(buckets, 11U);  // ten and +Inf
}

TEST_F(ExpositionTest, ws_streams_of_different_prefixes_are_summed) {
  store_.apply(publisher_.counter(Metric::MessagesPublished, {"gmo", "copy:ticker", "BTC_JPY"}, 1).message(),
               at(1));
  EXPECT_THAT(
      text(NameProfile::Ws),
      HasSubstr("ws_events_published_total{exchange=\"gmo\",type=\"ticker\",symbol=\"BTC_JPY\"} 150\n"));
}

TEST_F(ExpositionTest, a_dead_component_is_shown_dead_without_its_gauges) {
  store_.expire(at(60).steady);
  const std::string out = text(NameProfile::Collector);
  EXPECT_THAT(out, HasSubstr("collector_component_up{component=\"ws-reader\",source=\"gmo\"} 0\n"));
  EXPECT_THAT(out, Not(HasSubstr("process_cpu_seconds_total{component=\"ws-reader\"")));
  EXPECT_THAT(out, HasSubstr("collector_messages_received_total{"));
}

TEST_F(ExpositionTest, labels_are_escaped) {
  store_.apply(reader_.counter(Metric::MessagesReceived, {"gmo", "ticker", "a\"b\\"}, 1).message(), at(1));
  EXPECT_THAT(text(NameProfile::Collector), HasSubstr("symbol=\"a\\\"b\\\\\"} 1\n"));
}

TEST_F(ExpositionTest, a_family_of_many_series_has_one_head) {
  for (int i = 0; i < 1000; ++i)
    reader_.counter(Metric::MessagesReceived, {"gmo", "ticker", "S" + std::to_string(i)}, 1);
  store_.apply(reader_.message(), at(1));
  const std::string out = text(NameProfile::Collector);
  const std::string head = "# TYPE collector_messages_received_total counter\n";
  const std::size_t first = out.find(head);
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(out.find(head, first + 1), std::string::npos);
  for (int i = 0; i < 1000; ++i) EXPECT_THAT(out, HasSubstr("symbol=\"S" + std::to_string(i) + "\"} 1\n"));
}

TEST_F(ExpositionTest, open_metrics_names_families_without_what_their_kind_adds) {
  reader_.gauge(Metric::BuildInfo, {"ws-reader", "1.2.3", "abc"}, 1);
  store_.apply(reader_.message(), at(1));
  const std::string out = text(NameProfile::Collector, TextFormat::OpenMetrics100);
  EXPECT_THAT(
      out,
      HasSubstr(
          "# TYPE collector_messages_received counter\n"
          "# HELP collector_messages_received Events read from the exchange.\n"
          "collector_messages_received_total{exchange=\"gmo\",channel=\"ticker\",symbol=\"BTC_JPY\"} 150\n"));
  EXPECT_THAT(out, HasSubstr("# TYPE process_cpu_seconds counter\n# UNIT process_cpu_seconds seconds\n"));
  EXPECT_THAT(out, HasSubstr("# TYPE collector_build info\n"));
  EXPECT_THAT(
      out, HasSubstr("collector_build_info{component=\"ws-reader\",version=\"1.2.3\",commit=\"abc\"} 1\n"));
  EXPECT_THAT(out, HasSubstr("collector_last_message_timestamp_seconds{exchange=\"gmo\",channel=\"ticker\","
                             "symbol=\"BTC_JPY\"} 1703689200.25\n"));
  EXPECT_EQ(out.substr(out.size() - 6), "# EOF\n");
}

TEST_F(ExpositionTest, open_metrics_bounds_are_canonical_numbers) {
  const std::string out = text(NameProfile::Collector, TextFormat::OpenMetrics100);
  const std::string name = "collector_publish_latency_seconds";
  const std::string labels = "{exchange=\"gmo\",stream=\"md:ticker\"";
  EXPECT_THAT(out, HasSubstr("# TYPE " + name + " histogram\n# UNIT " + name + " seconds\n"));
  for (const char* bound : {"0.0001", "0.001"})
    EXPECT_THAT(out, HasSubstr(name + "_bucket" + labels + ",le=\"" + bound + "\"} 0\n"));
  for (const char* bound : {"0.002", "1.0", "10.0", "+Inf"})
    EXPECT_THAT(out, HasSubstr(name + "_bucket" + labels + ",le=\"" + bound + "\"} 4\n"));
  EXPECT_THAT(out, HasSubstr(name + "_count" + labels + "} 4\n" + name + "_sum" + labels + "} 0.006"));
}

TEST_F(ExpositionTest, open_metrics_labels_and_numbers_of_all_kinds) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto offset = [this](const char* exchange, double value) {
    reader_.gauge(Metric::ClockOffset, {exchange}, value);
  };
  offset("a\"b\\", kInfinity);
  offset("minus", -kInfinity);
  offset("none", std::numeric_limits<double>::quiet_NaN());
  offset("small", -1.5e-9);
  store_.apply(reader_.message(), at(1));
  const std::string out = text(NameProfile::Collector, TextFormat::OpenMetrics100);
  const std::string name = "collector_clock_offset_seconds{exchange=\"";
  EXPECT_THAT(out, HasSubstr(name + "a\\\"b\\\\\"} +Inf\n"));
  EXPECT_THAT(out, HasSubstr(name + "minus\"} -Inf\n"));
  EXPECT_THAT(out, Not(HasSubstr(name + "none\""))) << "NaN is a gauge that was withdrawn";
  EXPECT_THAT(out, HasSubstr(name + "small\"} -1.5e-09\n"));
}

TEST_F(ExpositionTest, open_metrics_of_the_ws_names) {
  const std::string out = text(NameProfile::Ws, TextFormat::OpenMetrics100);
  EXPECT_THAT(out, HasSubstr("# TYPE ws_events_received counter\n"));
  EXPECT_THAT(
      out, HasSubstr("ws_events_received_total{exchange=\"gmo\",type=\"ticker\",symbol=\"BTC_JPY\"} 150\n"));
  EXPECT_THAT(out, HasSubstr("redis_publish_errors_total 2\n"));
  EXPECT_THAT(
      out, HasSubstr("redis_publish_latency_ms_bucket{exchange=\"gmo\",type=\"ticker\",le=\"1000.0\"} 4\n"));
}

}  // namespace
}  // namespace mdpipe::agent

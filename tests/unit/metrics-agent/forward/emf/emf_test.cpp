#include "metrics-agent/forward/emf/emf.hpp"

#include <gtest/gtest.h>

#include "metrics-agent/forward/emf/emf_config.hpp"
#include "tests/unit/metrics-agent/fake_component.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;

class EmfTest : public testing::Test {
 protected:
  std::vector<EmfDocument> documents(double seconds, EmfOptions options = {}) {
    store_.apply(reader_.message(), at(seconds));
    return emf_documents(store_, book_.close(store_, at(seconds).steady), options, at(seconds).wall);
  }
  // The document whose dimensions are these: `"exchange":"gmo","channel":"ticker"`
  static std::string find(const std::vector<EmfDocument>& documents, const std::string& dimensions) {
    for (const EmfDocument& document : documents) {
      if (document.members.find("]}," + dimensions + ",") != std::string::npos) return document.members;
    }
    return "";
  }

  SnapshotStore store_{StoreLimits{}};
  WindowBook book_{at(0).steady, {}};
  FakeComponent reader_{"ws-reader", "gmo"};
};

const std::string kTickerDimensions = R"("exchange":"gmo","channel":"ticker")";

TEST_F(EmfTest, symbols_are_added_up_and_series_of_the_same_dimensions_share_a_document) {
  reader_.counter(Metric::MessagesReceived, kTicker, 150)
      .counter(Metric::MessagesReceived, {"gmo", "ticker", "ETH_JPY"}, 3)
      .counter(Metric::ReceivedBytes, kTicker, 9000);
  EXPECT_EQ(
      find(documents(1), kTickerDimensions),
      R"("_aws":{"Timestamp":1700000001000,"CloudWatchMetrics":[{"Namespace":"mdpipe","Dimensions":[["exchange","channel"]],)"
      R"("Metrics":[{"Name":"collector_messages_received_total","Unit":"Count"},)"
      R"({"Name":"collector_received_bytes_total","Unit":"Bytes"}]}]},"exchange":"gmo","channel":"ticker",)"
      R"("collector_messages_received_total":153,"collector_received_bytes_total":9000)");
}

TEST_F(EmfTest, a_counter_that_has_counted_is_written_with_its_increment_also_when_that_is_zero) {
  reader_.counter(Metric::MessagesReceived, kTicker, 150).counter(Metric::Reconnects, {"gmo"}, 0);
  EXPECT_EQ(documents(1)[0].members.find("collector_reconnects_total"), std::string::npos);
  EXPECT_NE(find(documents(2), kTickerDimensions).find(R"("collector_messages_received_total":0)"),
            std::string::npos);
}

TEST_F(EmfTest, with_symbols_each_has_a_document) {
  reader_.counter(Metric::MessagesReceived, kTicker, 150)
      .counter(Metric::MessagesReceived, {"gmo", "ticker", "\xe6\x97\xa5\""}, 3);
  const auto all = documents(1, {"mine", true});
  EXPECT_NE(find(all, kTickerDimensions + R"(,"symbol":"BTC_JPY")"), "");
  EXPECT_NE(find(all, kTickerDimensions + R"(,"symbol":"___\"")"), "");
  EXPECT_NE(all[0].members.find(R"("Namespace":"mine")"), std::string::npos);
}

TEST_F(EmfTest, dimension_values_are_ascii_and_never_empty) {
  reader_.counter(Metric::DroppedEvents, {"ws-reader", "", "ti\"cker", "X", "\xe6\x97\xa5"}, 2);
  EXPECT_NE(
      find(documents(1), R"("component":"ws-reader","exchange":"none","channel":"ti\"cker","reason":"___")"),
      "");
}

TEST_F(EmfTest, a_feed_state_is_the_number_of_feeds_in_it) {
  reader_.gauge(Metric::FeedState, kTicker, 1)
      .gauge(Metric::FeedState, {"gmo", "ticker", "ETH_JPY"}, 1)
      .gauge(Metric::FeedState, {"gmo", "ticker", "XRP_JPY"}, 3);
  const auto all = documents(1);
  EXPECT_NE(find(all, kTickerDimensions + R"(,"state":"live")").find(R"("collector_feed_state":2)"),
            std::string::npos);
  EXPECT_NE(find(all, kTickerDimensions + R"(,"state":"stale")").find(R"("collector_feed_state":1)"),
            std::string::npos);
  EXPECT_NE(find(all, kTickerDimensions + R"(,"state":"gap")").find(R"("collector_feed_state":0)"),
            std::string::npos);
}

TEST_F(EmfTest, with_symbols_a_feed_has_the_number_of_its_state_too) {
  reader_.gauge(Metric::FeedState, kTicker, 3);
  const auto all = documents(1, {"mdpipe", true});
  EXPECT_NE(find(all, kTickerDimensions + R"(,"symbol":"BTC_JPY")").find(R"("collector_feed_state":3)"),
            std::string::npos);
  EXPECT_NE(find(all, kTickerDimensions + R"(,"state":"stale")").find(R"("collector_feed_state":1)"),
            std::string::npos);
}

TEST_F(EmfTest, a_histogram_is_at_most_a_hundred_values_and_its_exact_count) {
  reader_.histogram(Metric::PublishLatency, {"gmo", "md:ticker"}, 123'457, 1'000'000);
  const std::string members = find(documents(1), R"("exchange":"gmo","stream":"md:ticker")");
  EXPECT_NE(members.find(R"("collector_publish_latency_seconds_count":123457)"), std::string::npos);
  const std::size_t begin = members.find(R"("collector_publish_latency_seconds":[0.001004,)");
  ASSERT_NE(begin, std::string::npos);
  const std::string values = members.substr(begin, members.find(']', begin) - begin);
  EXPECT_EQ(std::count(values.begin(), values.end(), ','), 99);
}

TEST_F(EmfTest, timestamps_and_versions_are_left_out) {
  reader_.gauge(Metric::LastMessageTimestamp, kTicker, 1e9)
      .gauge(Metric::BuildInfo, {"ws-reader", "1", "abc"}, 1)
      .gauge(Metric::ProcessResidentBytes, {"ws-reader", "gmo"}, 1e7);
  const auto all = documents(1);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].points, 3U);  // and collector_component_up and _stopped
  EXPECT_NE(all[0].members.find(R"({"Name":"process_resident_memory_bytes","Unit":"Bytes"})"),
            std::string::npos);
}

TEST(EmfOptionsTest, namespaces_of_aws_and_a_log_level_that_hides_the_lines_are_refused) {
  EXPECT_FALSE(make_emf_options({}, "warn").value());
  EXPECT_EQ(make_emf_options({true, "my/space", true}, "info").value()->name_space, "my/space");
  for (const char* name : {"", "AWS/mine", ":x", "a b", "a\"b"})
    EXPECT_NE(make_emf_options({true, name, false}, "info").error().message.find("--emf-namespace"),
              std::string::npos);
  EXPECT_NE(make_emf_options({true, "m", false}, "warn").error().message.find("--log-level=info"),
            std::string::npos);
}

}  // namespace
}  // namespace mdpipe::agent

#include "metrics-agent/forward/statsd/statsd_format.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "metrics-agent/forward/statsd/statsd_config.hpp"
#include "tests/unit/metrics-agent/fake_component.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;

const std::vector<std::string> kLatency = {"gmo", "md:ticker"};

class StatsdFormatTest : public testing::Test {
 protected:
  // The component's message ends a window.
  void window(FakeComponent& component) {
    store_.apply(component.message(), at(1));
    counts_.add(store_, book_.close(store_, at(1).steady));
  }
  // Without the two gauges of the component itself.
  std::vector<std::string> lines() {
    std::vector<std::string> out;
    for (const Datagram& datagram : statsd_datagrams(counts_, store_, format_).list) {
      std::size_t begin = 0;
      while (begin <= datagram.text.size()) {
        const std::size_t end = std::min(datagram.text.find('\n', begin), datagram.text.size());
        std::string line = datagram.text.substr(begin, end - begin);
        if (line.find("collector_component_") == std::string::npos) out.push_back(std::move(line));
        begin = end + 1;
      }
    }
    return out;
  }

  SnapshotStore store_{StoreLimits{}};
  WindowBook book_{at(0).steady, {}};
  FakeComponent reader_{"ws-reader", "gmo"};
  Undelivered counts_;
  StatsdFormat format_{StatsdFlavour::Statsd, "mdpipe.", {}, 1432};
};

using Lines = std::vector<std::string>;

TEST_F(StatsdFormatTest, plain_statsd_has_the_labels_in_the_name) {
  reader_.counter(Metric::MessagesReceived, kTicker, 150)
      .gauge(Metric::UnconfirmedEvents, {"gmo"}, 7)
      .gauge(Metric::FeedState, kTicker, 3)
      .histogram(Metric::PublishLatency, kLatency, 5, 1'000'000);
  window(reader_);
  EXPECT_EQ(lines(), (Lines{
                         "mdpipe.collector_messages_received_total.gmo.ticker.BTC_JPY:150|c",
                         "mdpipe.collector_publish_latency_ms.gmo.md_ticker:1.004|ms",
                         "mdpipe.collector_publish_latency_ms.gmo.md_ticker:1.004|ms",
                         "mdpipe.collector_publish_latency_ms.gmo.md_ticker:1.004|ms",
                         "mdpipe.collector_publish_latency_ms.gmo.md_ticker:1.004|ms",
                         "mdpipe.collector_publish_latency_ms.gmo.md_ticker:1.004|ms",
                         "mdpipe.collector_feed_state.gmo.ticker.BTC_JPY:3|g",
                         "mdpipe.collector_unconfirmed_events.gmo:7|g",
                     }));
}

TEST_F(StatsdFormatTest, dog_statsd_has_tags_and_packs_values_of_one_rate) {
  format_ = {StatsdFlavour::DogStatsd, "", {"env:prod"}, 1432};
  reader_.counter(Metric::MessagesReceived, kTicker, 150)
      .gauge(Metric::ClockOffset, {"gmo"}, -0.25)
      .histogram(Metric::PublishLatency, kLatency, 5, 1'000'000);
  window(reader_);
  EXPECT_EQ(
      lines(),
      (Lines{
          "collector_messages_received_total:150|c|#exchange:gmo,channel:ticker,symbol:BTC_JPY,env:prod",
          "collector_publish_latency_seconds:0.001004|d|#exchange:gmo,stream:md_ticker,env:prod",
          "collector_publish_latency_seconds:0.001004|d|@0.25|#exchange:gmo,stream:md_ticker,env:prod",
          "collector_clock_offset_seconds:-0.25|g|#exchange:gmo,env:prod",
      }));
}

TEST_F(StatsdFormatTest, a_negative_plain_gauge_is_set_to_zero_first_in_the_same_datagram) {
  reader_.gauge(Metric::ClockOffset, {"gmo"}, -0.25);
  window(reader_);
  EXPECT_EQ(lines(), (Lines{"mdpipe.collector_clock_offset_seconds.gmo:0|g",
                            "mdpipe.collector_clock_offset_seconds.gmo:-0.25|g"}));
  for (format_.datagram_bytes_max = 60; format_.datagram_bytes_max < 300; ++format_.datagram_bytes_max) {
    for (const Datagram& datagram : statsd_datagrams(counts_, store_, format_).list) {
      const bool has_zero = datagram.text.find("offset_seconds.gmo:0|g") != std::string::npos;
      EXPECT_EQ(has_zero, datagram.text.find("gmo:-0.25|g") != std::string::npos);
    }
  }
}

TEST_F(StatsdFormatTest, numbers_are_in_plain_notation) {
  reader_.gauge(Metric::UnconfirmedBytes, {"a"}, 1e14)
      .gauge(Metric::LastMessageTimestamp, kTicker, 1'764'000'000.125)
      .gauge(Metric::UnconfirmedEvents, {"b"}, std::numeric_limits<double>::infinity())
      .gauge(Metric::ClockOffset, {"c"}, 1e-7);
  window(reader_);
  EXPECT_EQ(lines(),
            (Lines{"mdpipe.collector_clock_offset_seconds.c:0.0000001|g",
                   "mdpipe.collector_last_message_timestamp_seconds.gmo.ticker.BTC_JPY:1764000000.125|g",
                   "mdpipe.collector_unconfirmed_bytes.a:100000000000000|g"}));
}

TEST_F(StatsdFormatTest, what_the_protocol_uses_is_replaced_in_labels) {
  const std::vector<std::string> hostile = {"a:1|c|@0.1|#x,y\nb", "\xe6\x97\xa5.\xe6\x9c\xac z", ""};
  reader_.counter(Metric::MessagesReceived, hostile, 1);
  auto message = reader_.message();
  counts_ = {};
  // Line ends are refused by the store already, so this goes past it.
  message.component = kDestinationComponent;
  counts_.restore(message);
  EXPECT_EQ(lines(), (Lines{"mdpipe.collector_messages_received_total.a_1_c__0_1__x_y_b."
                            "________z.none:1|c"}));
  format_.flavour = StatsdFlavour::DogStatsd;
  EXPECT_EQ(lines(),
            (Lines{"mdpipe.collector_messages_received_total:1|c|#exchange:a_1_c__0.1__x_y_b,channel:"
                   "\xe6\x97\xa5.\xe6\x9c\xac_z,symbol:none"}));
}

TEST_F(StatsdFormatTest, a_long_tag_is_cut_between_characters) {
  std::string symbol(180, 'a');
  for (int i = 0; i < 20; ++i) symbol += "\xe6\x97\xa5";
  const std::string tag = statsd_tag("symbol", symbol);
  EXPECT_EQ(tag, "symbol:" + symbol.substr(0, 192));  // 193 would cut a character
}

TEST_F(StatsdFormatTest, many_lines_share_a_datagram_that_keeps_its_limit) {
  for (int i = 0; i < 1000; ++i)
    reader_.counter(Metric::MessagesReceived, {"binance", "ticker", "SYMBOL" + std::to_string(i)}, 1);
  for (const int count : {1, 77, 100'000}) {
    reader_.histogram(Metric::PublishLatency, {"gmo", "md:" + std::to_string(count)},
                      static_cast<std::uint64_t>(count), 1'000'000);
  }
  window(reader_);
  for (const auto flavour : {StatsdFlavour::Statsd, StatsdFlavour::DogStatsd}) {
    format_.flavour = flavour;
    const Datagrams datagrams = statsd_datagrams(counts_, store_, format_);
    std::size_t bytes = 0;
    for (const Datagram& datagram : datagrams.list) {
      EXPECT_LE(datagram.text.size(), 1432U);
      bytes += datagram.text.size();
    }
    EXPECT_EQ(datagrams.too_long.points, 0U);
    EXPECT_GT(bytes / datagrams.list.size(), 1300U);  // full ones
  }
}

TEST_F(StatsdFormatTest, delivering_every_datagram_delivers_everything_once) {
  for (int i = 0; i < 50; ++i)
    reader_.counter(Metric::MessagesReceived, {"binance", "ticker", "SYMBOL" + std::to_string(i)}, 3);
  for (int i = 0; i < 300; ++i) {
    reader_.histogram(Metric::PublishLatency, {"gmo", "md:" + std::to_string(i % 4)}, 1000 + 7ULL * i,
                      1'000'000 + 10'000ULL * i);
  }
  window(reader_);
  for (const auto flavour : {StatsdFlavour::Statsd, StatsdFlavour::DogStatsd}) {
    format_.flavour = flavour;
    Undelivered counts;
    counts.restore(counts_.state("statsd", {}));
    for (const Datagram& datagram : statsd_datagrams(counts_, store_, format_).list) {
      for (const auto& part : datagram.counts) counts.deliver(part);
    }
    for (std::size_t i = 0; i < counts.size(); ++i) EXPECT_TRUE(counts[i].is_empty()) << i;
  }
}

TEST_F(StatsdFormatTest, what_fits_into_no_datagram_is_told_apart) {
  format_.datagram_bytes_max = 100;
  reader_.counter(Metric::MessagesReceived, {"gmo", "ticker", std::string(100, 'x')}, 9)
      .counter(Metric::Reconnects, {"gmo"}, 2);
  window(reader_);
  const Datagrams datagrams = statsd_datagrams(counts_, store_, format_);
  EXPECT_EQ(datagrams.too_long.points, 1U);
  ASSERT_EQ(datagrams.too_long.counts.size(), 1U);
  EXPECT_EQ(datagrams.too_long.counts[0].count, 9U);
  EXPECT_TRUE(datagrams.too_long.text.empty());
  EXPECT_EQ(lines(), (Lines{"mdpipe.collector_reconnects_total.gmo:2|c"}));
}

std::string refusal(const StatsdConfig& settings) {
  const auto options = make_statsd_options(settings);
  return options.ok() ? "" : options.error().message;
}

TEST(StatsdOptionsTest, addresses_are_udp_or_unix) {
  for (const char* text :
       {"udp://127.0.0.1:8125", "udp://[::1]:8125", "udp://statsd.example:1", "unix:///run/a"})
    EXPECT_EQ(refusal({text, "statsd", "", {}, {}}), "") << text;
  for (const char* text :
       {"127.0.0.1:8125", "udp://", "udp://h", "udp://h:0", "udp://h:65536", "udp://h:1/x", "udp://::1:8125",
        "udp://[::1:1", "udp://:8125", "tcp://h:1", "unix://run", "unix:///"}) {
    EXPECT_NE(refusal({text, "statsd", "", {}, {}}).find("expected udp://HOST:PORT"), std::string::npos)
        << text;
  }
  EXPECT_NE(refusal({"unix:///" + std::string(200, 'x'), "statsd", "", {}, {}}), "");
  const auto ipv6 = make_statsd_options({"udp://[::1]:8125", "statsd", "", {}, {}});
  EXPECT_EQ(ipv6.value()->address.host, "::1");
  EXPECT_FALSE(make_statsd_options({}).value());
}

TEST(StatsdOptionsTest, tags_and_prefixes_that_cannot_work_are_refused) {
  const std::string address = "udp://127.0.0.1:8125";
  EXPECT_NE(refusal({address, "statsd", "m.", {"env=prod"}, {}}).find("--statsd-format=dogstatsd"),
            std::string::npos);
  for (const char* tag : {"env", "=prod", "env=", "e v=prod"})
    EXPECT_NE(refusal({address, "dogstatsd", "m.", {tag}, {}}).find("NAME=VALUE"), std::string::npos) << tag;
  EXPECT_NE(refusal({address, "statsd", "m:", {}, {}}).find("--statsd-prefix"), std::string::npos);
  const auto options = make_statsd_options({address, "dogstatsd", "m.", {"env=a:b", "site=x=y"}, {}});
  EXPECT_EQ(options.value()->format.tags, (std::vector<std::string>{"env:a_b", "site:x_y"}));
  EXPECT_EQ(options.value()->format.datagram_bytes_max, 1432U);
  EXPECT_EQ(make_statsd_options({"unix:///a", "statsd", "", {}, {}}).value()->format.datagram_bytes_max,
            8192U);
}

}  // namespace
}  // namespace mdpipe::agent

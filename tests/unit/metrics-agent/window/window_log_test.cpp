#include "metrics-agent/window/window_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/metrics-agent/fake_component.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;
using testing::HasSubstr;
using testing::Not;

class WindowLogTest : public testing::Test {
 protected:
  std::vector<WindowLine> lines(double end = 10) {
    return window_lines(store_, book_.close(store_, at(end).steady));
  }

  SnapshotStore store_{StoreLimits{}};
  WindowBook book_{at(0).steady, {}};
  FakeComponent gmo_{"ws-reader", "gmo"}, publisher_{"md-publisher", "main"};
};

TEST_F(WindowLogTest, has_the_contracts_form) {
  gmo_.counter(Metric::MessagesReceived, kTicker, 150)
      .counter(Metric::ReceivedBytes, kTicker, 150 * 181 + 3)
      .counter(Metric::Reconnects, {"gmo"}, 0)
      .counter(Metric::Errors, {"ws-reader", "api_error"}, 1)
      .counter(Metric::Errors, {"ws-reader", "unknown_symbol"}, 0)
      .gauge(Metric::UnconfirmedEvents, {"gmo"}, 12)
      .gauge(Metric::SpoolBytes, {"gmo"}, 4096);
  publisher_.counter(Metric::MessagesPublished, {"gmo", "md:ticker", "BTC_JPY"}, 150)
      .counter(Metric::PublishedBytes, {"gmo", "md:ticker", "BTC_JPY"}, 150 * 164)
      .histogram(Metric::PublishLatency, {"gmo", "md:ticker"}, 150, 2'000'000);
  store_.apply(gmo_.message(), at(1));
  store_.apply(publisher_.message(), at(1));
  const auto out = lines();
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].exchange, "gmo");
  EXPECT_EQ(out[0].metrics, R"({"received":{"ticker:BTC_JPY":150},"published":{"md:ticker:BTC_JPY":150},)"
                            R"("errors":{"parse_error":0,"publish_error":0,"api_error":1},"reconnects":0,)"
                            R"("latency_ms":{"md:ticker":{"p50":2.01,"p95":2.01,"p99":2.01}},)"
                            R"("message_bytes":{"received_avg":181,"published_avg":164},)"
                            R"("buffer":{"unconfirmed_events":12,"spool_bytes":4096},"window_seconds":10})");
}

TEST_F(WindowLogTest, before_an_exchange_is_known_there_is_no_line) {
  store_.apply(publisher_.counter(Metric::Errors, {"md-publisher", "publish_error"}, 0).message(), at(1));
  EXPECT_TRUE(lines().empty());
}

TEST_F(WindowLogTest, a_quiet_exchange_still_has_its_line) {
  store_.apply(gmo_.counter(Metric::MessagesReceived, kTicker, 0).message(), at(1));
  EXPECT_THAT(lines().at(0).metrics, HasSubstr(R"("received":{"ticker:BTC_JPY":0})"));
}

TEST_F(WindowLogTest, other_error_types_stand_only_when_they_happened) {
  store_.apply(gmo_.counter(Metric::MessagesReceived, kTicker, 0)
                   .counter(Metric::Errors, {"ws-reader", "binary_frame"}, 2)
                   .counter(Metric::Errors, {"ws-reader", "link_error"}, 0)
                   .message(),
               at(1));
  const auto out = lines();
  EXPECT_THAT(out.at(0).metrics, HasSubstr(R"("api_error":0,"binary_frame":2})"));
  EXPECT_THAT(out.at(0).metrics, Not(HasSubstr("link_error")));
}

TEST_F(WindowLogTest, errors_of_one_exchanges_reader_go_to_its_line) {
  FakeComponent bitflyer("ws-reader", "bitflyer");
  store_.apply(gmo_.counter(Metric::MessagesReceived, kTicker, 1)
                   .counter(Metric::Errors, {"ws-reader", "api_error"}, 3)
                   .message(),
               at(1));
  store_.apply(bitflyer.counter(Metric::MessagesReceived, {"bitflyer", "ticker", "BTC_JPY"}, 1)
                   .counter(Metric::Errors, {"ws-reader", "api_error"}, 4)
                   .message(),
               at(1));
  const auto out = lines();
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].exchange, "bitflyer");
  EXPECT_THAT(out[0].metrics, HasSubstr(R"("api_error":4)"));
  EXPECT_THAT(out[1].metrics, HasSubstr(R"("api_error":3)"));
}

TEST_F(WindowLogTest, errors_of_a_publisher_of_several_exchanges_have_their_own_line) {
  store_.apply(publisher_.counter(Metric::MessagesPublished, {"gmo", "md:ticker", "A"}, 1)
                   .counter(Metric::MessagesPublished, {"bitflyer", "md:ticker", "A"}, 1)
                   .counter(Metric::Errors, {"md-publisher", "publish_error"}, 5)
                   .message(),
               at(1));
  const auto out = lines();
  ASSERT_EQ(out.size(), 3U);
  EXPECT_EQ(out[0].exchange, "");
  EXPECT_THAT(out[0].metrics, HasSubstr(R"("publish_error":5)"));
  EXPECT_THAT(out[1].metrics, HasSubstr(R"("publish_error":0)"));
  EXPECT_EQ(lines(20).size(), 2U);  // it had nothing more to say
}

TEST_F(WindowLogTest, errors_of_nobodys_exchange_go_to_the_only_one) {
  store_.apply(gmo_.counter(Metric::MessagesReceived, kTicker, 1).message(), at(1));
  store_.apply(publisher_.counter(Metric::Errors, {"md-publisher", "publish_error"}, 5).message(), at(1));
  const auto out = lines();
  ASSERT_EQ(out.size(), 1U);
  EXPECT_THAT(out[0].metrics, HasSubstr(R"("publish_error":5)"));
}

TEST_F(WindowLogTest, symbols_are_quoted_as_json) {
  store_.apply(gmo_.counter(Metric::MessagesReceived, {"gmo", "ticker", "a\"b\\"}, 1).message(), at(1));
  EXPECT_THAT(lines().at(0).metrics, HasSubstr(R"("ticker:a\"b\\":1)"));
}

TEST_F(WindowLogTest, the_span_is_rounded_to_hundredths) {
  store_.apply(gmo_.counter(Metric::MessagesReceived, kTicker, 1).message(), at(1));
  EXPECT_THAT(lines(10.0031).at(0).metrics, HasSubstr(R"("window_seconds":10})"));
  EXPECT_THAT(lines(12.5031).at(0).metrics, HasSubstr(R"("window_seconds":2.5})"));
}

TEST(ThreeDigits, are_plain) {
  EXPECT_EQ(three_digits(0), "0");
  EXPECT_EQ(three_digits(0.4), "0.4");
  EXPECT_EQ(three_digits(0.41234), "0.412");
  EXPECT_EQ(three_digits(1.8), "1.8");
  EXPECT_EQ(three_digits(12.34), "12.3");
  EXPECT_EQ(three_digits(456.7), "457");
  EXPECT_EQ(three_digits(60'000), "60000");
  EXPECT_EQ(three_digits(0.000123), "0.000123");
}

}  // namespace
}  // namespace mdpipe::agent

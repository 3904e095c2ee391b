#include "metrics-agent/alerts/rules/conditions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "libshared/event/event.hpp"
#include "tests/unit/metrics-agent/fake_component.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class ConditionsTest : public testing::Test {
 protected:
  ConditionsTest() { store_.apply(FakeComponent("metrics-agent", "metrics-agent").message(), at(0)); }

  void send(FakeComponent& component, double second) { store_.apply(component.message(), at(second)); }
  void update(double second) { conditions_.update(at(second).steady); }

  // The subjects whose value is above 0, with their values.
  std::map<std::string, double> bad(AlertId alert) const {
    std::map<std::string, double> out;
    const auto& values = conditions_.values(alert);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i] > 0) out[conditions_.subject(alert, i)] = values[i];
    }
    return out;
  }

  SnapshotStore store_{StoreLimits{}};
  Conditions conditions_{store_, "metrics-agent"};
  FakeComponent reader_{"ws-reader", "gmo"}, publisher_{"md-publisher", "main"};
};

TEST_F(ConditionsTest, a_silent_component_is_down_and_one_that_said_goodbye_is_not) {
  send(reader_, 0);
  send(publisher_, 0);
  update(1);
  EXPECT_THAT(bad(AlertId::ComponentDown), IsEmpty());
  store_.apply(publisher_.message(true, true), at(1));
  store_.expire(at(9).steady);
  update(9);
  EXPECT_THAT(bad(AlertId::ComponentDown), ElementsAre(Pair("ws-reader gmo", 1)));
  send(reader_, 10);
  update(10);
  EXPECT_THAT(bad(AlertId::ComponentDown), IsEmpty());
}

TEST_F(ConditionsTest, the_agent_alone_is_no_collector) {
  update(1);
  EXPECT_THAT(bad(AlertId::NoComponents), ElementsAre(Pair("metrics-agent", 1)));
  send(reader_, 1);
  update(2);
  EXPECT_THAT(bad(AlertId::NoComponents), IsEmpty());
}

TEST_F(ConditionsTest, gauges_of_the_living_are_judged) {
  reader_.gauge(Metric::ConnectionUp, {"gmo"}, 0).gauge(Metric::UnconfirmedEvents, {"gmo"}, 12'000);
  reader_.gauge(Metric::ClockOffset, {"gmo"}, -0.25);
  publisher_.gauge(Metric::RedisUp, {"md-publisher"}, 0);
  send(reader_, 0);
  send(publisher_, 0);
  update(1);
  EXPECT_THAT(bad(AlertId::ExchangeDown), ElementsAre(Pair("gmo", 1)));
  EXPECT_THAT(bad(AlertId::RedisDown), ElementsAre(Pair("md-publisher", 1)));
  EXPECT_THAT(bad(AlertId::Backlog), ElementsAre(Pair("gmo", 12'000)));
  EXPECT_THAT(bad(AlertId::ClockBehind), ElementsAre(Pair("gmo", 0.25)));
  reader_.gauge(Metric::ConnectionUp, {"gmo"}, 1).gauge(Metric::ClockOffset, {"gmo"}, 0.25);
  send(reader_, 2);
  update(2);
  EXPECT_THAT(bad(AlertId::ExchangeDown), IsEmpty());
  EXPECT_EQ(conditions_.values(AlertId::ClockBehind).at(0), -0.25);
  store_.expire(at(60).steady);
  update(60);
  EXPECT_TRUE(std::isnan(conditions_.values(AlertId::Backlog).at(0))) << "nobody knows any more";
}

TEST_F(ConditionsTest, a_redis_without_a_limit_is_never_full) {
  const auto redis = [this](double used, double max) {
    publisher_.gauge(Metric::RedisMemoryUsed, {"md-publisher"}, used);
    publisher_.gauge(Metric::RedisMemoryMax, {"md-publisher"}, max);
    send(publisher_, 1);
    update(1);
    return conditions_.values(AlertId::RedisNearlyFull).at(0);
  };
  EXPECT_EQ(redis(91, 100), 1);
  EXPECT_THAT(bad(AlertId::RedisNearlyFull), ElementsAre(Pair("md-publisher", 1)));
  EXPECT_EQ(redis(90, 100), 0);
  EXPECT_EQ(redis(91, 0), 0);
}

TEST_F(ConditionsTest, feeds_are_named) {
  const auto feed = [this](const std::string& channel, const std::string& symbol, FeedState state) {
    reader_.gauge(Metric::FeedState, {"gmo", channel, symbol}, static_cast<double>(state));
  };
  feed("ticker", "A", FeedState::Live);
  feed("ticker", "B", FeedState::Stale);
  feed("orderbook", "C", FeedState::Gap);
  feed("ticker", "D", FeedState::Down);
  feed("orderbook", "E", FeedState::Pending);
  feed("trade", "F", FeedState::Pending);
  feed("trade", "G", FeedState::Quiet);
  send(reader_, 0);
  update(1);
  EXPECT_THAT(bad(AlertId::FeedStale), ElementsAre(Pair("gmo orderbook C", 1), Pair("gmo ticker B", 1)));
  EXPECT_THAT(bad(AlertId::FeedPending), ElementsAre(Pair("gmo orderbook E", 1)));
}

TEST_F(ConditionsTest, what_an_agent_finds_when_it_starts_is_no_growth) {
  reader_.counter(Metric::Errors, {"ws-reader", "parse_error"}, 1000);
  send(reader_, 0);
  update(1);
  EXPECT_THAT(bad(AlertId::Errors), IsEmpty());
  reader_.counter(Metric::Errors, {"ws-reader", "parse_error"}, 1003);
  send(reader_, 2);
  update(2);
  EXPECT_THAT(bad(AlertId::Errors), ElementsAre(Pair("ws-reader parse_error", 3)));
  update(302);
  EXPECT_THAT(bad(AlertId::Errors), IsEmpty());
}

TEST_F(ConditionsTest, a_series_that_a_known_component_begins_with_a_count_is_growth) {
  send(reader_, 0);
  update(1);
  reader_.counter(Metric::DroppedEvents, {"ws-reader", "gmo", "trade", "A", "retention"}, 7);
  reader_.counter(Metric::DroppedEvents, {"ws-reader", "gmo", "trade", "B", "retention"}, 2);
  send(reader_, 2);
  update(2);
  EXPECT_THAT(bad(AlertId::EventsDropped), ElementsAre(Pair("ws-reader gmo trade retention", 9)));
}

TEST_F(ConditionsTest, a_restarted_component_that_counts_anew_is_no_growth_but_for_what_it_counted) {
  reader_.counter(Metric::Reconnects, {"gmo"}, 50);
  send(reader_, 0);
  update(1);
  reader_.restart(200).counter(Metric::Reconnects, {"gmo"}, 2);
  send(reader_, 2);
  update(2);
  EXPECT_THAT(bad(AlertId::Reconnecting), ElementsAre(Pair("gmo", 2)));
}

TEST_F(ConditionsTest, what_the_check_of_a_book_leaves_out_is_no_loss) {
  send(reader_, 0);
  update(1);
  for (const char* reason : {"before_snapshot", "stale_delta", "book_gap", "crossed_book", "wrong_mid_price"})
    reader_.counter(Metric::DroppedEvents, {"ws-reader", "gmo", "orderbook", "A", reason}, 5);
  send(reader_, 2);
  update(2);
  EXPECT_THAT(bad(AlertId::EventsDropped), IsEmpty());
}

TEST_F(ConditionsTest, received_and_not_published) {
  reader_.counter(Metric::MessagesReceived, kTicker, 100);
  publisher_.counter(Metric::MessagesPublished, {"gmo", "md:ticker", "BTC_JPY"}, 100);
  send(reader_, 0);
  send(publisher_, 0);
  update(1);
  reader_.counter(Metric::MessagesReceived, kTicker, 105);
  reader_.counter(Metric::MessagesReceived, {"kraken", "ticker", "X"}, 3);
  publisher_.counter(Metric::MessagesPublished, {"gmo", "md:ticker", "BTC_JPY"}, 101);
  send(reader_, 2);
  send(publisher_, 2);
  update(2);
  EXPECT_THAT(bad(AlertId::NothingPublished), ElementsAre(Pair("kraken", 3)));
  reader_.counter(Metric::MessagesReceived, kTicker, 110);
  send(reader_, 70);
  update(70);
  EXPECT_THAT(bad(AlertId::NothingPublished), ElementsAre(Pair("gmo", 5)));
}

TEST_F(ConditionsTest, the_tail_of_the_latency_is_as_prometheus_sees_it) {
  publisher_.histogram(Metric::PublishLatency, {"gmo", "md:ticker"}, 1000, 9'000'000'000);
  send(publisher_, 0);
  update(1);
  EXPECT_THAT(bad(AlertId::PublishSlow), IsEmpty()) << "it was slow before the agent started";
  publisher_.histogram(Metric::PublishLatency, {"gmo", "md:trade"}, 100, 800'000'000);
  send(publisher_, 2);
  update(2);
  EXPECT_THAT(bad(AlertId::PublishSlow), ElementsAre(Pair("gmo", testing::DoubleNear(0.995, 1e-9))));
}

TEST(QuantileSeconds, stays_within_the_buckets_and_says_nothing_of_nothing) {
  LatencyGrowth::Buckets buckets{};
  EXPECT_TRUE(std::isnan(quantile_seconds(buckets, 0.99)));
  buckets.back() = 1;
  EXPECT_EQ(quantile_seconds(buckets, 0.99), 10.0);
  buckets.back() = 0;
  buckets.front() = 100;
  EXPECT_DOUBLE_EQ(quantile_seconds(buckets, 0.99), 0.000099);
}

TEST_F(ConditionsTest, groups_are_bounded) {
  send(reader_, 0);
  update(1);
  for (int i = 0; i < 1100; ++i)
    reader_.counter(Metric::Errors, {"ws-reader", "type_" + std::to_string(i)}, 1);
  send(reader_, 2);
  update(2);
  EXPECT_EQ(conditions_.values(AlertId::Errors).size(), 1001U);
  EXPECT_EQ(bad(AlertId::Errors)["others"], 100);
}

TEST_F(ConditionsTest, a_long_name_is_cut_between_characters) {
  std::string symbol;
  for (int i = 0; i < 80; ++i) symbol += "\u00e9\u00e9";
  symbol.resize(250);
  reader_.gauge(Metric::FeedState, {"gmo", "ticker", symbol}, static_cast<double>(FeedState::Stale));
  send(reader_, 0);
  update(1);
  ASSERT_EQ(bad(AlertId::FeedStale).size(), 1U);
  const std::string name = bad(AlertId::FeedStale).begin()->first;
  EXPECT_LE(name.size(), 200U);
  EXPECT_TRUE(is_label_text(name));
}

}  // namespace
}  // namespace mdpipe::agent

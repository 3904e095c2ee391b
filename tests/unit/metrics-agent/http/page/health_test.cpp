#include "metrics-agent/http/page/health.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libshared/event/event.hpp"
#include "tests/unit/metrics-agent/fake_component.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class HealthTest : public testing::Test {
 protected:
  std::vector<std::string> reasons() const { return health_reasons(store_, "metrics-agent", now_); }

  FakeComponent& feed(const std::string& symbol, FeedState state, double since) {
    const std::vector<std::string> labels = {"gmo", "ticker", symbol};
    return reader_.gauge(Metric::FeedState, labels, static_cast<double>(state))
        .gauge(Metric::FeedStateSince, labels, static_cast<double>(at(since).wall.count) * 1e-9);
  }

  UnixNanos now_ = at(30).wall;
  SnapshotStore store_{StoreLimits{}};
  FakeComponent reader_{"ws-reader", "gmo"}, publisher_{"md-publisher", "main"};
};

TEST_F(HealthTest, the_agent_alone_is_not_enough) {
  store_.apply(FakeComponent("metrics-agent", "metrics-agent").message(), at(0));
  EXPECT_THAT(reasons(), ElementsAre("no component has reported yet"));
}

TEST_F(HealthTest, all_is_well) {
  store_.apply(reader_.gauge(Metric::ConnectionUp, {"gmo"}, 1).message(), at(0));
  store_.apply(publisher_.gauge(Metric::RedisUp, {"md-publisher"}, 1).message(), at(0));
  EXPECT_THAT(reasons(), IsEmpty());
}

TEST_F(HealthTest, each_reason_is_named) {
  store_.apply(reader_.gauge(Metric::ConnectionUp, {"gmo"}, 0).message(), at(0));
  store_.apply(publisher_.gauge(Metric::RedisUp, {"md-publisher"}, 0).message(), at(0));
  EXPECT_THAT(reasons(), ElementsAre("exchange gmo disconnected (ws-reader gmo)",
                                     "md-publisher main cannot reach Redis"));
}

TEST_F(HealthTest, a_silent_component_is_named_with_its_time_and_its_gauges_no_longer_count) {
  store_.apply(reader_.gauge(Metric::ConnectionUp, {"gmo"}, 0).message(), at(0));
  store_.expire(at(9).steady);
  EXPECT_THAT(reasons(), ElementsAre("component ws-reader gmo silent since 2023-11-14T22:13:20.000000000Z"));
}

TEST_F(HealthTest, a_stopped_component_is_told_from_a_silent_one) {
  store_.apply(reader_.message(true, true), at(0));
  EXPECT_THAT(reasons(), ElementsAre(HasSubstr("component ws-reader gmo stopped since")));
}

TEST_F(HealthTest, a_feed_without_usable_data_is_named_with_its_state_and_since_when) {
  feed("A", FeedState::Live, 1);
  feed("B", FeedState::Quiet, 2);
  feed("C", FeedState::Stale, 3.25);
  feed("D", FeedState::Gap, 4);
  feed("E", FeedState::Down, 5);
  feed("F", FeedState::Pending, 6);
  store_.apply(reader_.message(), at(0));
  EXPECT_THAT(reasons(), ElementsAre("gmo ticker C stale since 2023-11-14T22:13:23Z",
                                     "gmo ticker D gap since 2023-11-14T22:13:24Z",
                                     "gmo ticker E down since 2023-11-14T22:13:25Z"));
}

TEST_F(HealthTest, a_feed_that_never_had_data_is_named_after_ten_minutes) {
  store_.apply(feed("F", FeedState::Pending, 6).message(), at(0));
  now_ = at(605).wall;
  EXPECT_THAT(reasons(), IsEmpty());
  now_ = at(607).wall;
  EXPECT_THAT(reasons(), ElementsAre("gmo ticker F pending since 2023-11-14T22:13:26Z"));
}

TEST_F(HealthTest, of_many_feeds_twenty_are_named_and_the_others_counted) {
  for (char symbol = 'A'; symbol <= 'Z'; ++symbol) feed(std::string(1, symbol), FeedState::Down, 1);
  store_.apply(reader_.gauge(Metric::ConnectionUp, {"gmo"}, 0).message(), at(0));
  const auto found = reasons();
  ASSERT_EQ(found.size(), 22U);
  EXPECT_EQ(found.front(), "exchange gmo disconnected (ws-reader gmo)");
  EXPECT_EQ(found[1], "gmo ticker A down since 2023-11-14T22:13:21Z");
  EXPECT_EQ(found.back(), "and 6 more feeds");
}

TEST_F(HealthTest, feeds_of_a_silent_reader_and_nonsense_do_not_count) {
  feed("A", FeedState::Down, 1);
  reader_.gauge(Metric::FeedState, {"gmo", "ticker", "B"}, 1e300);
  reader_.gauge(Metric::FeedState, {"gmo", "ticker", "C"}, -1)
      .gauge(Metric::FeedStateSince, {"gmo", "ticker", "C"}, 1e300);
  store_.apply(reader_.message(), at(0));
  EXPECT_THAT(reasons(), ElementsAre(HasSubstr("ticker A down")));
  store_.expire(at(9).steady);
  EXPECT_THAT(reasons(), ElementsAre(HasSubstr("component ws-reader gmo silent")));
}

}  // namespace
}  // namespace mdpipe::agent

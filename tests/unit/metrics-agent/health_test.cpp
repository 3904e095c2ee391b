#include "metrics-agent/health.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/metrics-agent/fake_component.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class HealthTest : public testing::Test {
 protected:
  std::vector<std::string> reasons() const { return health_reasons(store_, "metrics-agent"); }

  SnapshotStore store_{StoreLimits{}};
  FakeComponent reader_{"ws-reader", "gmo"}, publisher_{"md-publisher", "main"};
};

TEST_F(HealthTest, TheAgentAloneIsNotEnough) {
  store_.apply(FakeComponent("metrics-agent", "metrics-agent").message(), at(0));
  EXPECT_THAT(reasons(), ElementsAre("no component has reported yet"));
}

TEST_F(HealthTest, AllIsWell) {
  store_.apply(reader_.gauge(Metric::ConnectionUp, {"gmo"}, 1).message(), at(0));
  store_.apply(publisher_.gauge(Metric::RedisUp, {"md-publisher"}, 1).message(), at(0));
  EXPECT_THAT(reasons(), IsEmpty());
}

TEST_F(HealthTest, EachReasonIsNamed) {
  store_.apply(reader_.gauge(Metric::ConnectionUp, {"gmo"}, 0).message(), at(0));
  store_.apply(publisher_.gauge(Metric::RedisUp, {"md-publisher"}, 0).message(), at(0));
  EXPECT_THAT(reasons(), ElementsAre("exchange gmo disconnected, says ws-reader gmo",
                                     "redis down, says md-publisher main"));
}

TEST_F(HealthTest, ASilentComponentIsNamedWithItsTimeAndItsGaugesNoLongerCount) {
  store_.apply(reader_.gauge(Metric::ConnectionUp, {"gmo"}, 0).message(), at(0));
  store_.expire(at(9).steady);
  EXPECT_THAT(reasons(), ElementsAre("component ws-reader gmo silent since 2023-11-14T22:13:20.000000000Z"));
}

TEST_F(HealthTest, AStoppedComponentIsToldFromASilentOne) {
  store_.apply(reader_.message(true, true), at(0));
  EXPECT_THAT(reasons(), ElementsAre(HasSubstr("component ws-reader gmo stopped since")));
}

}  // namespace
}  // namespace mdpipe::agent

#include "metrics-agent/alerts/rules/alert_state.hpp"

#include <gtest/gtest.h>

#include "metrics-agent/alerts/rules/conditions.hpp"
#include "metrics-agent/alerts/rules/growth.hpp"
#include "metrics-agent/alerts/webhook/webhook_pace.hpp"
#include "tests/unit/metrics-agent/fake_component.hpp"

namespace mdpipe::agent {
namespace {

using Change = AlertState::Change;

class AlertStateTest : public testing::Test {
 protected:
  Change update(double value, double second, bool may_fire = true) {
    return state_.update(value, rule_, may_fire, at(second).steady);
  }

  AlertRule rule_{true, 10, std::chrono::seconds(30), std::chrono::seconds(60)};
  AlertState state_;
};

TEST_F(AlertStateTest, fires_when_the_limit_was_exceeded_for_long_enough) {
  EXPECT_EQ(update(11, 0), Change::None);
  EXPECT_EQ(update(11, 29.9), Change::None);
  EXPECT_FALSE(state_.is_firing());
  EXPECT_EQ(update(11, 30), Change::Fired);
  EXPECT_TRUE(state_.is_firing());
  EXPECT_EQ(state_.since(), at(0).steady);
  EXPECT_EQ(update(11, 31), Change::None) << "it is said once";
}

TEST_F(AlertStateTest, the_limit_itself_is_not_bad) {
  for (int second = 0; second < 100; ++second) EXPECT_EQ(update(10, second), Change::None);
}

TEST_F(AlertStateTest, a_moment_of_peace_begins_the_time_anew) {
  update(11, 0);
  update(9, 20);
  update(11, 21);
  EXPECT_EQ(update(11, 50), Change::None);
  EXPECT_EQ(update(11, 51), Change::Fired);
}

TEST_F(AlertStateTest, fires_at_once_where_no_time_is_given) {
  rule_.hold = std::chrono::seconds(0);
  EXPECT_EQ(update(11, 0), Change::Fired);
}

TEST_F(AlertStateTest, ends_when_at_most_half_of_the_limit_for_long_enough) {
  update(11, 0);
  update(11, 30);
  EXPECT_EQ(update(6, 40), Change::None);
  EXPECT_EQ(update(6, 400), Change::None) << "below the limit and above half of it";
  EXPECT_EQ(update(5, 401), Change::None);
  EXPECT_EQ(update(5, 459), Change::None);
  EXPECT_EQ(update(5, 460), Change::Ended);
  EXPECT_FALSE(state_.is_firing());
}

TEST_F(AlertStateTest, a_value_that_hovers_around_the_limit_fires_once) {
  int changes = 0;
  for (int second = 0; second < 3600; ++second) {
    const double value = second < 60 ? 11 : second % 50 < 25 ? 11 : 4;
    changes += update(value, second) != Change::None ? 1 : 0;
  }
  EXPECT_EQ(changes, 1);
}

TEST_F(AlertStateTest, unknown_is_not_bad) {
  update(11, 0);
  update(11, 30);
  EXPECT_EQ(update(Conditions::kUnknown, 31), Change::None);
  EXPECT_EQ(update(Conditions::kUnknown, 90), Change::Ended);
  EXPECT_EQ(update(Conditions::kUnknown, 200), Change::None);
}

TEST_F(AlertStateTest, waits_while_something_else_explains_it) {
  update(11, 0);
  EXPECT_EQ(update(11, 40, false), Change::None);
  EXPECT_EQ(update(11, 41, true), Change::Fired);
  EXPECT_EQ(update(11, 42, false), Change::None) << "one that fires goes on";
  EXPECT_TRUE(state_.is_firing());
}

TEST(Growth, counts_what_is_in_the_window) {
  Growth growth(std::chrono::seconds(60));
  EXPECT_EQ(growth.update(0, at(0).steady), 0U);
  EXPECT_EQ(growth.update(7, at(10).steady), 7U);
  EXPECT_EQ(growth.update(7, at(68).steady), 7U);
  EXPECT_EQ(growth.update(9, at(69).steady), 9U);
  EXPECT_EQ(growth.update(9, at(71).steady), 2U);
  EXPECT_EQ(growth.update(9, at(131).steady), 0U);
}

TEST(Growth, a_long_time_without_looking_loses_nothing_new_and_keeps_nothing_old) {
  Growth growth(std::chrono::seconds(60));
  growth.update(5, at(0).steady);
  EXPECT_EQ(growth.update(12, at(100'000).steady), 7U);
  EXPECT_EQ(growth.update(12, at(100'061).steady), 0U);
}

TEST(WebhookPace, keeps_its_interval_and_doubles_its_patience) {
  WebhookPace pace(std::chrono::seconds(30));
  EXPECT_TRUE(pace.may_send(at(0).steady));
  pace.on_answer(WebhookVerdict::Sent, {}, at(0).steady);
  EXPECT_FALSE(pace.may_send(at(29).steady));
  EXPECT_TRUE(pace.may_send(at(30).steady));
  double now = 30;
  for (const double wait : {1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300}) {
    pace.on_answer(WebhookVerdict::Failed, {}, at(now).steady);
    EXPECT_FALSE(pace.may_send(at(now + wait - 0.1).steady)) << wait;
    now += wait;
    EXPECT_TRUE(pace.may_send(at(now).steady)) << wait;
  }
  pace.on_answer(WebhookVerdict::Sent, {}, at(now).steady);
  pace.on_answer(WebhookVerdict::Failed, {}, at(now).steady);
  EXPECT_TRUE(pace.may_send(at(now + 1).steady)) << "a success begins anew";
}

TEST(WebhookPace, waits_as_long_as_it_is_asked_to_but_not_for_ever) {
  WebhookPace pace(std::chrono::seconds(30));
  pace.on_answer(WebhookVerdict::RateLimited, std::chrono::seconds(77), at(0).steady);
  EXPECT_FALSE(pace.may_send(at(76).steady));
  EXPECT_TRUE(pace.may_send(at(77).steady));
  pace.on_answer(WebhookVerdict::RateLimited, std::chrono::hours(1'000'000), at(100).steady);
  EXPECT_TRUE(pace.may_send(at(3700).steady));
}

TEST(WebhookPace, knows_what_is_worth_another_try) {
  for (const int status : {200, 204}) EXPECT_EQ(webhook_verdict(status), WebhookVerdict::Sent);
  for (const int status : {0, 408, 500, 503}) EXPECT_EQ(webhook_verdict(status), WebhookVerdict::Failed);
  EXPECT_EQ(webhook_verdict(429), WebhookVerdict::RateLimited);
  for (const int status : {301, 400, 401, 403, 404, 410})
    EXPECT_EQ(webhook_verdict(status), WebhookVerdict::Refused);
}

}  // namespace
}  // namespace mdpipe::agent

#include "ws-reader/feeds/silence_rule.hpp"

#include <gtest/gtest.h>

namespace mdpipe::reader {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

struct SilenceRuleTest : testing::Test {
  SilenceRule rule{seconds(30)};
  SteadyTime now{std::chrono::hours(1)};

  void event_after(Span span) {
    now += span;
    rule.on_event(now);
  }
  void events(int count, Span apart) {
    for (int i = 0; i < count; ++i) event_after(apart);
  }

  SilenceRuleTest() { rule.restart(now); }
};

TEST_F(SilenceRuleTest, knows_nothing_at_first_and_takes_the_floor) {
  EXPECT_EQ(rule.quiet_after(), seconds(15));
  EXPECT_EQ(rule.stale_after(), seconds(30));
}

TEST_F(SilenceRuleTest, has_learned_after_twenty_events_and_a_minute) {
  events(20, seconds(1));
  EXPECT_EQ(rule.quiet_after(), seconds(15));
  events(41, seconds(1));
  EXPECT_EQ(rule.usual(), seconds(1));
  EXPECT_EQ(rule.quiet_after(), seconds(5)) << "nobody acts on less";
  EXPECT_EQ(rule.stale_after(), seconds(30)) << "the floor holds";
}

TEST_F(SilenceRuleTest, a_thin_feed_is_given_three_times_its_longest_silence) {
  events(30, seconds(20));
  EXPECT_EQ(rule.usual(), seconds(20));
  EXPECT_EQ(rule.quiet_after(), seconds(30));
  EXPECT_EQ(rule.stale_after(), seconds(60));
}

TEST_F(SilenceRuleTest, one_freeze_makes_the_limit_three_times_as_long_at_most) {
  events(600, seconds(1));
  event_after(minutes(60));
  EXPECT_EQ(rule.stale_after(), seconds(90));
}

TEST_F(SilenceRuleTest, a_silence_is_forgotten_after_an_hour_of_a_busy_feed) {
  events(100, seconds(1));
  event_after(seconds(25));
  events(55 * 60, seconds(1));
  EXPECT_EQ(rule.usual(), seconds(25));
  events(10 * 60, seconds(1));
  EXPECT_EQ(rule.usual(), seconds(1));
}

TEST_F(SilenceRuleTest, a_silence_of_a_thin_feed_is_remembered_for_a_hundred_events) {
  events(50, minutes(10));
  event_after(minutes(25));
  events(80, minutes(10));
  EXPECT_EQ(rule.usual(), minutes(25));
  events(30, minutes(10));
  EXPECT_EQ(rule.usual(), minutes(10));
}

TEST_F(SilenceRuleTest, what_is_forgiven_is_no_silence) {
  event_after(milliseconds(500));
  now += seconds(40);
  rule.forgive(seconds(39), now);
  EXPECT_EQ(rule.silence(now), seconds(1));
  rule.forgive(seconds(10), now);
  EXPECT_EQ(rule.silence(now), seconds(0)) << "never in the future";
}

TEST_F(SilenceRuleTest, subscribing_anew_keeps_what_was_learned) {
  events(30, seconds(20));
  now += minutes(30);
  rule.restart(now);
  event_after(seconds(1));
  EXPECT_EQ(rule.usual(), seconds(20));
}

}  // namespace
}  // namespace mdpipe::reader

#include "ws-reader/source/reconnect_policy.hpp"

#include <gtest/gtest.h>

#include <random>

namespace mdpipe::reader {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr double kAlmostOne = 0.999999;

EndedConnection refused(int status, std::optional<seconds> retry_after = {}) {
  return {milliseconds(0), status, retry_after};
}

TEST(ReconnectPolicy, the_first_try_is_immediate_then_the_ceiling_doubles) {
  ReconnectPolicy policy({milliseconds(500), milliseconds(4000)});
  for (const int expected : {0, 499, 999, 1999, 3999, 3999, 3999}) {
    EXPECT_EQ(policy.next_delay({}, kAlmostOne), milliseconds(expected));
  }
}

TEST(ReconnectPolicy, stays_within_its_bounds_for_any_random_number) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> unit(0, 1);
  for (int run = 0; run < 200; ++run) {
    ReconnectPolicy policy({milliseconds(1 + run), milliseconds(60'000)});
    for (int failure = 0; failure < 100; ++failure) {
      const auto delay = policy.next_delay({}, unit(random));
      ASSERT_GE(delay, milliseconds(0));
      ASSERT_LE(delay, milliseconds(60'000));
    }
  }
}

TEST(ReconnectPolicy, a_connection_that_lasted_starts_the_count_anew) {
  ReconnectPolicy policy({});
  for (int i = 0; i < 5; ++i) policy.next_delay({}, kAlmostOne);
  EXPECT_GT(policy.next_delay({milliseconds(9'999), 0, {}}, kAlmostOne), milliseconds(0));
  EXPECT_EQ(policy.next_delay({milliseconds(10'000), 0, {}}, kAlmostOne), milliseconds(0));
  EXPECT_EQ(policy.failures(), 1U);
}

TEST(ReconnectPolicy, never_comes_back_before_what_the_server_asked_for) {
  ReconnectPolicy policy({});
  EXPECT_EQ(policy.next_delay(refused(503, seconds(7)), 0), seconds(7));
  EXPECT_GE(policy.next_delay(refused(503, seconds(7)), kAlmostOne), seconds(7));
  EXPECT_EQ(ReconnectPolicy({}).next_delay(refused(429), 0), seconds(30));
  EXPECT_EQ(ReconnectPolicy({}).next_delay(refused(503), 0), seconds(5));
}

TEST(ReconnectPolicy, spreads_those_that_were_refused_together) {
  EXPECT_GT(ReconnectPolicy({}).next_delay(refused(503, seconds(7)), 0.9),
            ReconnectPolicy({}).next_delay(refused(503, seconds(7)), 0.1));
}

TEST(ReconnectPolicy, believes_no_retry_after_beyond_an_hour) {
  EXPECT_LE(ReconnectPolicy({}).next_delay(refused(503, seconds(10'000'000'000)), kAlmostOne), seconds(3602));
}

TEST(ReconnectPolicy, other_refusals_follow_the_backoff) {
  EXPECT_EQ(ReconnectPolicy({}).next_delay(refused(404), kAlmostOne), milliseconds(0));
}

}  // namespace
}  // namespace mdpipe::reader

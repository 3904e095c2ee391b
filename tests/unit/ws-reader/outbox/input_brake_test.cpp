#include "ws-reader/outbox/input_brake.hpp"

#include <gtest/gtest.h>

namespace mdpipe::reader {
namespace {

using std::chrono::milliseconds;

constexpr InputBrake::Limits kLimits{1000, milliseconds(500)};
constexpr SteadyTime kBegin{std::chrono::hours(2)};

TEST(InputBrake, pauses_above_its_limit_until_half_of_it_is_left) {
  InputBrake brake(kLimits);
  EXPECT_FALSE(brake.should_pause(1000, kBegin));
  EXPECT_TRUE(brake.should_pause(1001, kBegin));
  EXPECT_TRUE(brake.should_pause(500, kBegin + milliseconds(1)));
  EXPECT_FALSE(brake.should_pause(499, kBegin + milliseconds(2)));
  EXPECT_FALSE(brake.should_pause(900, kBegin + milliseconds(3)));
}

TEST(InputBrake, a_pause_ends_in_time_where_redis_does_not_catch_up) {
  InputBrake brake(kLimits);
  EXPECT_TRUE(brake.should_pause(2000, kBegin));
  EXPECT_TRUE(brake.should_pause(2000, kBegin + milliseconds(499)));
  EXPECT_FALSE(brake.should_pause(2000, kBegin + milliseconds(500)));
  EXPECT_FALSE(brake.should_pause(9000, kBegin + milliseconds(501)));
  EXPECT_FALSE(brake.should_pause(499, kBegin + milliseconds(900)));
  EXPECT_TRUE(brake.should_pause(2000, kBegin + milliseconds(901))) << "Redis had caught up in between";
}

TEST(InputBrake, waits_for_ever_where_the_sender_does) {
  InputBrake brake({1000, std::nullopt});
  EXPECT_TRUE(brake.should_pause(2000, kBegin));
  EXPECT_TRUE(brake.should_pause(2000, kBegin + std::chrono::hours(24)));
}

}  // namespace
}  // namespace mdpipe::reader

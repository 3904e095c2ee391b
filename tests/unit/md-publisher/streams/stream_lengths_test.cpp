#include "md-publisher/streams/stream_lengths.hpp"

#include <gtest/gtest.h>

namespace mdpipe::publisher {
namespace {

struct StreamLengthsTest : testing::Test {
  RedisKey key_of(std::uint32_t id, std::uint64_t maxlen = 0) {
    RedisKey key;
    key.id = id;
    key.maxlen = maxlen;
    return key;
  }
  RedisKey trade = key_of(0), ticker = key_of(7, 100);
  StreamLengths lengths;
  SteadyTime now{};
};

TEST_F(StreamLengthsTest, nothing_is_known_of_a_stream_at_first) {
  EXPECT_EQ(lengths.length(ticker), 0U);
  EXPECT_FALSE(lengths.is_checked(ticker, 1));
  EXPECT_FALSE(lengths.is_check_due(ticker, now)) << "whether it may be asked for is not known";
}

TEST_F(StreamLengthsTest, each_stream_has_its_own_length) {
  lengths.on_length(trade, 10, now);
  lengths.on_length(ticker, 20, now);
  lengths.on_written(trade, 5);
  lengths.on_rejected(trade, 1);
  lengths.on_trimmed(ticker, 8);
  EXPECT_EQ(lengths.length(trade), 14U);
  EXPECT_EQ(lengths.length(ticker), 12U);
  EXPECT_EQ(lengths.on_length(trade, 10, now), 4U) << "someone else removed them";
  lengths.forget(ticker);
  EXPECT_EQ(lengths.on_length(ticker, 0, now), 0U) << "the first length again";
}

TEST_F(StreamLengthsTest, our_own_trimming_to_the_limit_of_a_stream_is_no_removal) {
  lengths.on_length(ticker, 120, now);
  EXPECT_EQ(lengths.on_length(ticker, 100, now), 0U);
  EXPECT_EQ(lengths.on_length(ticker, 90, now), 10U);
}

TEST_F(StreamLengthsTest, a_checked_stream_is_guarded_and_asked_for_its_length_once_a_second) {
  EXPECT_EQ(lengths.on_checked(trade, 3, 10, now), 0U);
  EXPECT_TRUE(lengths.is_checked(trade, 3));
  EXPECT_FALSE(lengths.is_checked(trade, 4));
  EXPECT_FALSE(lengths.is_check_due(trade, now));
  EXPECT_TRUE(lengths.is_check_due(trade, now + std::chrono::seconds(1)));
  EXPECT_EQ(lengths.on_checked(trade, 4, 6, now), 4U);
}

TEST_F(StreamLengthsTest, a_stream_whose_length_is_forbidden_is_checked_and_has_no_guard) {
  lengths.on_checked(trade, 3, 10, now);
  lengths.on_forbidden(trade, 4);
  EXPECT_TRUE(lengths.is_checked(trade, 4));
  EXPECT_FALSE(lengths.is_check_due(trade, now + std::chrono::seconds(1)));
  EXPECT_EQ(lengths.on_length(trade, 1, now), 0U) << "the first length again";
}

TEST_F(StreamLengthsTest, a_failed_check_has_to_be_made_again) {
  lengths.on_checked(trade, 3, 10, now);
  lengths.on_check_failed(trade);
  EXPECT_FALSE(lengths.is_checked(trade, 4));
  EXPECT_FALSE(lengths.is_check_due(trade, now + std::chrono::seconds(1)));
}

TEST_F(StreamLengthsTest, all_lengths_are_forgotten_when_redis_lost_data) {
  lengths.on_length(trade, 10, now);
  lengths.on_length(ticker, 20, now);
  lengths.forget_all();
  EXPECT_EQ(lengths.on_length(trade, 1, now) + lengths.on_length(ticker, 1, now), 0U);
}

}  // namespace
}  // namespace mdpipe::publisher

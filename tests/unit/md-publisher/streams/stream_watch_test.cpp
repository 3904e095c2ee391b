#include "md-publisher/streams/stream_watch.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace mdpipe::publisher {
namespace {

constexpr SteadyTime kStart{};
constexpr auto kSecond = std::chrono::seconds(1);

TEST(StreamWatch, is_due_at_first_and_then_once_a_second) {
  StreamWatch watch;
  EXPECT_TRUE(watch.is_due(kStart));
  watch.on_length(5, 0, kStart);
  EXPECT_FALSE(watch.is_due(kStart + kSecond / 2));
  EXPECT_TRUE(watch.is_due(kStart + kSecond));
}

TEST(StreamWatch, the_first_length_is_only_where_counting_starts) {
  StreamWatch watch;
  watch.on_written(100);  // their outcome was not known
  EXPECT_EQ(watch.on_length(3, 0, kStart), 0U);
  watch.on_written(10);
  EXPECT_EQ(watch.on_length(13, 0, kStart), 0U);
}

TEST(StreamWatch, counts_what_is_missing_once) {
  StreamWatch watch;
  watch.on_length(100, 0, kStart);
  watch.on_written(20);
  EXPECT_EQ(watch.on_length(90, 0, kStart), 30U);
  EXPECT_EQ(watch.on_length(90, 0, kStart), 0U);
}

TEST(StreamWatch, entries_that_redis_refused_are_not_missed) {
  StreamWatch watch;
  watch.on_length(100, 0, kStart);
  watch.on_written(20);
  watch.on_rejected(20);
  EXPECT_EQ(watch.on_length(100, 0, kStart), 0U);
}

TEST(StreamWatch, our_own_trimming_is_no_loss_and_a_cut_below_it_is) {
  StreamWatch watch;
  watch.on_length(1'080, 1'000, kStart);
  watch.on_written(40);
  EXPECT_EQ(watch.on_length(1'020, 1'000, kStart), 0U);
  EXPECT_EQ(watch.on_length(400, 1'000, kStart), 600U);
}

TEST(StreamWatch, forgets_when_redis_itself_lost_data) {
  StreamWatch watch;
  watch.on_length(100, 0, kStart);
  watch.forget();
  EXPECT_EQ(watch.on_length(0, 0, kStart), 0U);
  EXPECT_EQ(watch.on_length(0, 0, kStart), 0U);
}

// The length of a stream in Redis: whole nodes are trimmed from the front, never below the limit.
class ModelStream {
 public:
  ModelStream(std::uint64_t maxlen, std::mt19937_64& random) : maxlen_(maxlen), random_(random) {}

  void add(std::uint64_t entries) {
    for (std::uint64_t i = 0; i < entries; ++i) {
      ++length_;
      const std::uint64_t node = 1 + random_() % 100;
      if (maxlen_ > 0 && length_ >= maxlen_ + node) length_ -= node;
    }
  }
  std::uint64_t remove(std::uint64_t entries) {
    const std::uint64_t removed = std::min(entries, length_);
    length_ -= removed;
    return removed;
  }
  [[nodiscard]] std::uint64_t length() const { return length_; }

 private:
  std::uint64_t maxlen_, length_ = 0;
  std::mt19937_64& random_;
};

// Goal: never a false alarm, never more than was removed; and every removal is found if nothing
// hides it (no one else writes, nothing is trimmed). Method: random turns of writing, others writing,
// removing and looking.
TEST(StreamWatch, agrees_with_a_model_of_redis) {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const std::uint64_t maxlen = seed % 3 == 0 ? 0 : 200 + random() % 300;
    const bool others_write = seed % 2 == 0;
    const bool others_remove = seed % 5 != 0;
    ModelStream stream(maxlen, random);
    StreamWatch watch;
    std::uint64_t removed = 0, reported = 0;
    watch.on_length(0, maxlen, kStart);
    for (int turn = 0; turn < 300; ++turn) {
      const std::uint64_t count = random() % 40;
      switch (random() % 4) {
        case 0:
          if (others_write) stream.add(count);
          break;
        case 1:
          if (others_remove) removed += stream.remove(turn % 50 == 0 ? ~0ULL : count / 4);
          break;
        default:
          stream.add(count);
          watch.on_written(count);
          if (random() % 3 == 0) reported += watch.on_length(stream.length(), maxlen, kStart);
      }
      ASSERT_LE(reported, removed);
    }
    reported += watch.on_length(stream.length(), maxlen, kStart);
    EXPECT_LE(reported, removed);
    if (maxlen == 0 && !others_write) {
      EXPECT_EQ(reported, removed);
    }
  }
}

}  // namespace
}  // namespace mdpipe::publisher

#include "libshared/metrics/persistent_histogram.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <numeric>

namespace mdpipe::metrics {
namespace {

constexpr std::size_t kWords = sizeof(PersistentHistogram) / sizeof(std::uint64_t);
using Words = std::array<std::uint64_t, kWords>;

Words words_of(const PersistentHistogram& histogram) {
  Words words{};
  std::memcpy(words.data(), &histogram, sizeof histogram);
  return words;
}

PersistentHistogram from(const Words& words) {
  PersistentHistogram histogram;
  std::memcpy(static_cast<void*>(&histogram), words.data(), sizeof histogram);
  return histogram;
}

TEST(PersistentHistogram, each_observation_is_in_one_bound_and_one_bucket) {
  PersistentHistogram histogram;
  for (const std::uint64_t nanos : {std::uint64_t{0}, std::uint64_t{100'000}, std::uint64_t{100'001},
                                    std::uint64_t{10'000'000'000}, std::uint64_t{1} << 50U})
    histogram.observe(nanos);
  const HistogramTotals totals = histogram.totals();
  EXPECT_EQ(totals.count, 5U);
  EXPECT_EQ(totals.bounds[0], 2U);
  EXPECT_EQ(totals.bounds[1], 1U);
  EXPECT_EQ(totals.bounds.back(), 1U);
  std::uint64_t in_buckets = 0;
  for (const auto& [bucket, count] : totals.buckets) in_buckets += count;
  EXPECT_EQ(in_buckets, 5U);
}

// Goal: a kill at any store of an observation leaves it counted as a whole or not at all. Method: the words
// that an observation changes are changed one after the other, in the order of the code, which is the order
// of its words: in hand, the sum in hand, the bound, the sum, the bucket.
TEST(PersistentHistogram, an_observation_cut_by_a_kill_is_whole_or_left_out) {
  PersistentHistogram before;
  before.observe(5'000'000);
  PersistentHistogram after = before;
  after.observe(7'000'000);
  const Words old = words_of(before);
  const Words whole = words_of(after);
  std::vector<std::size_t> changed;
  for (std::size_t i = 0; i < kWords; ++i) {
    if (old[i] != whole[i]) changed.push_back(i);
  }
  ASSERT_EQ(changed.size(), 5U);
  std::swap(changed[2], changed[3]);  // the bound lies behind the sum and goes before it
  Words words = old;
  for (std::size_t stores = 0; stores <= changed.size(); ++stores) {
    PersistentHistogram cut = from(words);
    ASSERT_TRUE(cut.repair()) << stores;
    const HistogramTotals totals = cut.totals();
    const bool counted = stores >= 3;
    EXPECT_EQ(totals.count, counted ? 2U : 1U) << stores;
    EXPECT_DOUBLE_EQ(totals.sum_ns, counted ? 12e6 : 5e6) << stores;
    EXPECT_EQ(totals.buckets.size(), counted ? 2U : 1U) << stores;
    if (stores < changed.size()) words[changed[stores]] = whole[changed[stores]];
  }
}

TEST(PersistentHistogram, damage_is_noticed) {
  PersistentHistogram histogram;
  histogram.observe(1);
  Words words = words_of(histogram);
  words.back() += 2;
  EXPECT_FALSE(from(words).repair());
  words = words_of(histogram);
  words[2] = ~std::uint64_t{0};  // the sum: not a number
  EXPECT_FALSE(from(words).repair());
}

}  // namespace
}  // namespace mdpipe::metrics

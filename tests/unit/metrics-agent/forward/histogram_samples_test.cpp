#include "metrics-agent/forward/histogram_samples.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "libshared/metrics/quantile_histogram.hpp"

namespace mdpipe::agent {
namespace {

using Buckets = std::vector<std::uint64_t>;

Buckets empty() { return Buckets(metrics::kQuantileBuckets); }

// What the samples say was in each bucket.
Buckets told(const std::vector<HistogramSample>& samples) {
  Buckets out = empty();
  for (const HistogramSample& sample : samples) {
    std::uint64_t covered = 0;
    for (const auto& [bucket, count] : sample.covers) {
      out[bucket] += count;
      covered += count;
    }
    EXPECT_EQ(covered, sample.weight);
  }
  return out;
}

Buckets random_buckets(std::mt19937_64& random) {
  Buckets out = empty();
  const auto used = random() % 300;
  for (std::uint64_t i = 0; i < used; ++i) out[random() % out.size()] += random() % (1U << (random() % 20));
  return out;
}

TEST(HistogramSamplesTest, every_observation_is_told_once_whatever_the_histogram) {
  const std::uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 200; ++i) {
    const Buckets buckets = random_buckets(random);
    EXPECT_EQ(told(samples_by_bucket(buckets)), buckets);
    EXPECT_EQ(told(samples_by_rank(buckets)), buckets);
    EXPECT_LT(samples_by_rank(buckets).size(), 290U);
  }
}

TEST(HistogramSamplesTest, weights_are_powers_of_two_of_limited_size) {
  Buckets buckets = empty();
  buckets[7] = 3 * kSampleWeightMax + 5;
  std::vector<std::uint64_t> weights;
  for (const HistogramSample& sample : samples_by_bucket(buckets)) {
    EXPECT_EQ(sample.bucket, 7U);
    weights.push_back(sample.weight);
  }
  EXPECT_EQ(weights,
            (std::vector<std::uint64_t>{kSampleWeightMax, kSampleWeightMax, kSampleWeightMax, 4, 1}));
}

TEST(HistogramSamplesTest, a_receiver_that_takes_values_alone_gets_the_quantiles) {
  Buckets buckets = empty();
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> nanos(std::log(1e6), 1);
  for (int i = 0; i < 1'000'000; ++i)
    ++buckets[metrics::quantile_bucket(static_cast<std::uint64_t>(nanos(random)))];
  std::vector<double> values;
  for (const HistogramSample& sample : samples_by_rank(buckets))
    values.push_back(metrics::quantile_bucket_middle(sample.bucket));
  for (const double q : {0.5, 0.9, 0.95}) {
    const double exact = metrics::quantile(buckets, q);
    const double seen = values[static_cast<std::size_t>(q * static_cast<double>(values.size()))];
    EXPECT_NEAR(seen / exact, 1, 0.1) << q;
  }
  EXPECT_EQ(values.back(), metrics::quantile(buckets, 1));
}

TEST(HistogramSamplesTest, few_values_are_told_as_they_are) {
  Buckets buckets = empty();
  buckets[3] = 2;
  buckets[5] = 1;
  EXPECT_EQ(values_by_rank(buckets, 100), (std::vector<double>{3, 3, 5}));
  EXPECT_EQ(samples_by_rank(buckets).size(), 3U);
  EXPECT_TRUE(values_by_rank(empty(), 100).empty());
  EXPECT_TRUE(samples_by_rank(empty()).empty());
}

TEST(HistogramSamplesTest, many_values_become_a_hundred_from_the_smallest_to_the_largest) {
  Buckets buckets = empty();
  for (std::size_t i = 0; i < 64; ++i) buckets[i] = 1000;
  const auto values = values_by_rank(buckets, 100);
  ASSERT_EQ(values.size(), 100U);
  EXPECT_EQ(values.front(), 0);
  EXPECT_EQ(values.back(), 63);
  EXPECT_NEAR(std::accumulate(values.begin(), values.end(), 0.0) / 100, 31.5, 0.5);
}

}  // namespace
}  // namespace mdpipe::agent

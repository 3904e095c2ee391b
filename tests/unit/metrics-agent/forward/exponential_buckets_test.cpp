#include "metrics-agent/forward/exponential_buckets.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "libshared/metrics/quantile_histogram.hpp"

namespace mdpipe::agent {
namespace {

std::vector<std::uint64_t> counts_of(const std::vector<std::uint64_t>& durations_ns) {
  std::vector<std::uint64_t> counts(metrics::kQuantileBuckets);
  for (const std::uint64_t nanos : durations_ns) ++counts[metrics::quantile_bucket(nanos)];
  return counts;
}

std::uint64_t total(const ExponentialBuckets& buckets) {
  return std::accumulate(buckets.counts.begin(), buckets.counts.end(), buckets.zeros);
}

// (base^index, base^(index + 1)] in seconds, as OpenTelemetry defines it.
double lower_bound(const ExponentialBuckets& buckets, std::size_t index) {
  return std::exp2((buckets.offset + static_cast<double>(index)) * std::exp2(-buckets.scale));
}

TEST(ExponentialBuckets, nothing_and_zeros_need_no_buckets) {
  EXPECT_EQ(total(exponential_buckets(counts_of({}))), 0U);
  const auto zeros = exponential_buckets(counts_of({0, 0, 0}));
  EXPECT_EQ(zeros.zeros, 3U);
  EXPECT_TRUE(zeros.counts.empty());
}

TEST(ExponentialBuckets, one_duration_is_in_the_bucket_around_it) {
  for (std::uint64_t nanos = 1; nanos < std::uint64_t{1} << 40U; nanos = nanos * 3 + 1) {
    const auto buckets = exponential_buckets(counts_of({nanos}));
    ASSERT_EQ(buckets.counts, std::vector<std::uint64_t>{1}) << nanos;
    EXPECT_EQ(buckets.scale, kExponentialScaleMax);
    const double seconds = static_cast<double>(nanos) * 1e-9;
    EXPECT_GT(seconds, lower_bound(buckets, 0) * 0.991) << nanos;
    EXPECT_LE(seconds, lower_bound(buckets, 1) * 1.009) << nanos;
  }
}

// Every count is kept, in the order of the durations, and a quantile read from it is within a bucket.
TEST(ExponentialBuckets, keeps_counts_and_quantiles_whatever_the_range) {
  std::mt19937 random(7);
  for (const double octaves : {0.5, 2.0, 5.0, 13.0, 30.0, 39.0}) {
    std::uniform_real_distribution<double> exponent(0, octaves);
    std::vector<std::uint64_t> durations;
    for (int i = 0; i < 2'000; ++i)
      durations.push_back(static_cast<std::uint64_t>(std::exp2(exponent(random))));
    const auto buckets = exponential_buckets(counts_of(durations));
    EXPECT_EQ(total(buckets), durations.size());
    EXPECT_LE(buckets.counts.size(), kExponentialBucketsMax);
    EXPECT_GT(buckets.counts.front(), 0U);
    EXPECT_GT(buckets.counts.back(), 0U);
    std::sort(durations.begin(), durations.end());
    const double median = static_cast<double>(durations[durations.size() / 2]) * 1e-9;
    std::uint64_t seen = buckets.zeros;
    std::size_t index = 0;
    while (seen + buckets.counts[index] <= durations.size() / 2) seen += buckets.counts[index++];
    EXPECT_GT(median, lower_bound(buckets, index) * 0.991);
    EXPECT_LE(median, lower_bound(buckets, index + 1) * 1.009);
  }
}

TEST(ExponentialBuckets, the_scale_is_the_finest_that_fits) {
  EXPECT_EQ(exponential_buckets(counts_of({1'000'000, 4'000'000})).scale, 6);        // 2 octaves: 128 buckets
  EXPECT_EQ(exponential_buckets(counts_of({1'000'000, 8'000'000})).scale, 5);        // 3 octaves would be 192
  EXPECT_EQ(exponential_buckets(counts_of({100'000, 1'000'000'000})).scale, 3);      // 0.1 ms to 1 s
  EXPECT_EQ(exponential_buckets(counts_of({1, std::uint64_t{1} << 39U})).scale, 2);  // everything
}

}  // namespace
}  // namespace mdpipe::agent

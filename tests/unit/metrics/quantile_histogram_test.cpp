#include "libshared/metrics/quantile_histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>

namespace mdpipe::metrics {
namespace {

using Draw = std::function<double(std::mt19937_64&)>;

struct Distribution {
  std::string name;
  Draw draw;  // nanoseconds
};

class QuantileTest : public testing::TestWithParam<Distribution> {};

// Exact by nearest rank, as quantile() defines it.
double exact(const std::vector<std::uint64_t>& sorted, double q) {
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  return static_cast<double>(sorted[std::max<std::size_t>(rank, 1) - 1]);
}

TEST_P(QuantileTest, lies_within_two_percent_of_the_exact_one) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    std::vector<std::uint64_t> values;
    std::vector<std::uint64_t> counts(kQuantileBuckets);
    for (int i = 0; i < 3000; ++i) {
      values.push_back(static_cast<std::uint64_t>(std::max(GetParam().draw(random), 1.0)));
      ++counts[quantile_bucket(values.back())];
    }
    std::sort(values.begin(), values.end());
    for (const double q : {0.01, 0.5, 0.95, 0.99, 0.999, 1.0}) {
      EXPECT_NEAR(quantile(counts, q), exact(values, q), 0.02 * exact(values, q)) << "q " << q;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Distributions, QuantileTest,
    testing::Values(
        Distribution{"constant", [](std::mt19937_64&) { return 1e6; }},
        Distribution{"uniform", [](auto& r) { return std::uniform_real_distribution(1e3, 1e9)(r); }},
        Distribution{"exponential", [](auto& r) { return std::exponential_distribution(1e-6)(r); }},
        Distribution{"lognormal", [](auto& r) { return std::lognormal_distribution(13.0, 2.0)(r); }},
        Distribution{"two_humps",
                     [](auto& r) {
                       const bool slow = std::bernoulli_distribution(0.03)(r);
                       return std::normal_distribution(slow ? 5e8 : 4e5, slow ? 1e7 : 5e4)(r);
                     }}),
    [](const auto& case_info) { return case_info.param.name; });

TEST(QuantileBucket, every_value_lies_in_its_bucket) {
  for (std::uint64_t nanos = 0; nanos < 1000; ++nanos) {
    EXPECT_NEAR(quantile_bucket_middle(quantile_bucket(nanos)), static_cast<double>(nanos),
                0.01 * static_cast<double>(nanos))
        << nanos;
  }
  std::size_t before = 0;
  for (unsigned octave = 0; octave < 64; ++octave) {
    const std::size_t bucket = quantile_bucket(std::uint64_t{1} << octave);
    EXPECT_GE(bucket, before);
    EXPECT_LT(bucket, kQuantileBuckets);
    before = bucket;
  }
}

TEST(QuantileBucket, durations_beyond_the_range_fall_into_the_last) {
  EXPECT_EQ(quantile_bucket(~std::uint64_t{0}), kQuantileBuckets - 1);
}

TEST(Quantile, of_nothing_is_zero) {
  EXPECT_EQ(quantile(std::vector<std::uint64_t>(kQuantileBuckets), 0.99), 0);
}

}  // namespace
}  // namespace mdpipe::metrics

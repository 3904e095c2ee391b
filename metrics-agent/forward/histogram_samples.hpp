#pragma once
// A histogram as single values, for destinations with observations and sample rates but without buckets.
// Weights are powers of two, because their reciprocals, the sample rates, are exact in binary and in decimal:
// a receiver that adds up 1 / rate gets the exact count. Pure.
#include <cstdint>
#include <utility>
#include <vector>

namespace mdpipe::agent {

struct HistogramSample {
  std::size_t bucket = 0;    // the value: the middle of this one of the quantile buckets
  std::uint64_t weight = 1;  // observations that it stands for, a power of two
  std::vector<std::pair<std::uint32_t, std::uint64_t>> covers;  // their buckets: (bucket, observations)
};

// The largest weight of a sample; its reciprocal has 20 decimals.
inline constexpr std::uint64_t kSampleWeightMax = std::uint64_t{1} << 20;

// Each bucket as one sample for each bit that is set in its count: for receivers that weight values by their
// sample rate.
std::vector<HistogramSample> samples_by_bucket(const std::vector<std::uint64_t>& buckets);

// About two hundred samples (fewer than 290) of equal weight in the order of the values, each the middle of
// the observations that it covers, and smaller ones for the remaining largest values: for receivers that
// compute quantiles from the values alone. The first and the last sample are the smallest and the largest
// value.
std::vector<HistogramSample> samples_by_rank(const std::vector<std::uint64_t>& buckets);

// The values at `count` (at least 2) evenly spaced ranks from the smallest to the largest, in ns; all values
// if there are fewer.
std::vector<double> values_by_rank(const std::vector<std::uint64_t>& buckets, std::size_t count);

}  // namespace mdpipe::agent

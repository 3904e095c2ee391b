#pragma once
// Converts a latency histogram of mdpipe (64 linear steps per power of two) into OpenTelemetry's exponential
// histogram, whose bucket i holds values in (base^i, base^(i+1)] seconds with base = 2^(2^-scale). Each of
// our buckets goes as a whole to the bucket that contains its middle, so every observation is counted once,
// and its value moves by at most the width of a bucket of either histogram. Pure.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mdpipe::agent {

// OpenTelemetry's own default; Prometheus and most receivers accept that many.
inline constexpr std::size_t kExponentialBucketsMax = 160;
inline constexpr int kExponentialScaleMax = 6;  // as fine as our buckets

struct ExponentialBuckets {
  int scale = kExponentialScaleMax;  // the finest that needs no more than kExponentialBucketsMax buckets
  int offset = 0;                    // index of the first of `counts`
  std::uint64_t zeros = 0;           // durations of 0 ns
  std::vector<std::uint64_t> counts;
};

// `counts` by quantile bucket (libshared/metrics/quantile_histogram.hpp).
ExponentialBuckets exponential_buckets(const std::vector<std::uint64_t>& counts);

}  // namespace mdpipe::agent

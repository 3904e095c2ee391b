#pragma once
// A log-linear histogram of durations: 64 steps for each power of two, so that a quantile read from it is
// within 0.8 % of the exact one. Counts only grow; the histogram of a window is the difference of two states.
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mdpipe::metrics {

// Bucket of a duration in ns; durations above 2^40 ns (18 minutes) fall into the last bucket.
inline constexpr unsigned kStepBits = 6;
inline constexpr unsigned kOctavesMax = 40;
inline constexpr std::size_t kQuantileBuckets = (kOctavesMax - kStepBits + 1) << kStepBits;

constexpr std::size_t quantile_bucket(std::uint64_t nanos) {
  constexpr std::uint64_t kMax = (std::uint64_t{1} << kOctavesMax) - 1;
  if (nanos > kMax) nanos = kMax;
  if (nanos < (std::uint64_t{1} << kStepBits)) return static_cast<std::size_t>(nanos);
  const auto octave = static_cast<unsigned>(63 - __builtin_clzll(nanos));
  const auto step = (nanos >> (octave - kStepBits)) & ((std::uint64_t{1} << kStepBits) - 1);
  return ((octave - kStepBits + 1) << kStepBits) + static_cast<std::size_t>(step);
}

// The middle of a bucket, in ns.
constexpr double quantile_bucket_middle(std::size_t bucket) {
  constexpr std::size_t kSteps = std::size_t{1} << kStepBits;
  if (bucket < kSteps) return static_cast<double>(bucket);
  const std::size_t octave = (bucket >> kStepBits) + kStepBits - 1;
  const double width = static_cast<double>(std::uint64_t{1} << (octave - kStepBits));
  const double low = static_cast<double>(kSteps + (bucket & (kSteps - 1))) * width;
  return low + (width - 1) / 2;
}

// The q-quantile (0 < q <= 1, nearest rank) in ns of bucket counts; 0 if there are none.
double quantile(const std::vector<std::uint64_t>& counts, double q);

}  // namespace mdpipe::metrics

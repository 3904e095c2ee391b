#include "libshared/metrics/persistent_histogram.hpp"

#include <cmath>
#include <numeric>

#include "libshared/metrics/persistent_memory.hpp"

namespace mdpipe::metrics {
namespace {

// kLatencyBounds in ns, and how many of them are below each power of two: an observation begins its search
// there and ends after two steps.
constexpr auto kBounds = [] {
  std::array<std::uint64_t, kLatencyBounds.size()> bounds{};
  for (std::size_t i = 0; i < bounds.size(); ++i)
    // Above zero, and std::lround is not constexpr.
    bounds[i] =
        static_cast<std::uint64_t>(kLatencyBounds[i] * 1e9 + 0.5);  // NOLINT(bugprone-incorrect-roundings)
  return bounds;
}();
constexpr auto kBoundsBelow = [] {
  std::array<std::uint8_t, 64> below{};
  for (std::size_t power = 0; power < below.size(); ++power) {
    while (below[power] < kBounds.size() && kBounds[below[power]] < std::uint64_t{1} << power) ++below[power];
  }
  return below;
}();

std::size_t bound_of(std::uint64_t nanos) {
  std::size_t at = kBoundsBelow[static_cast<std::size_t>(63 - __builtin_clzll(nanos | 1U))];
  while (at < kBounds.size() && nanos > kBounds[at]) ++at;
  return at;
}

}  // namespace

void PersistentHistogram::observe(std::uint64_t nanos) {
  in_hand_ns_ = nanos;
  in_hand_sum_ns_ = sum_ns_ + static_cast<double>(nanos);
  in_this_order();
  ++bounds_[bound_of(nanos)];
  in_this_order();
  sum_ns_ = in_hand_sum_ns_;
  in_this_order();
  ++buckets_[quantile_bucket(nanos)];
}

std::uint64_t PersistentHistogram::count() const {
  return std::accumulate(bounds_.begin(), bounds_.end(), std::uint64_t{0});
}

HistogramTotals PersistentHistogram::totals() const {
  HistogramTotals totals{count(), sum_ns_, {bounds_.begin(), bounds_.end() - 1}, {}};
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    if (buckets_[i] > 0) totals.buckets.emplace_back(static_cast<std::uint32_t>(i), buckets_[i]);
  }
  return totals;
}

bool PersistentHistogram::repair() {
  const auto in_buckets = std::accumulate(buckets_.begin(), buckets_.end(), std::uint64_t{0});
  if (count() == in_buckets + 1) {
    sum_ns_ = in_hand_sum_ns_;
    ++buckets_[quantile_bucket(in_hand_ns_)];
  } else if (count() != in_buckets) {
    return false;
  }
  return std::isfinite(sum_ns_) && sum_ns_ >= 0;
}

}  // namespace mdpipe::metrics

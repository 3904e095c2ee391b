#include "metrics-agent/store/histogram_sum.hpp"

#include <algorithm>
#include <numeric>

namespace mdpipe::agent {

void HistogramSum::add(const HistogramSum& other) {
  count += other.count;
  sum_ns += other.sum_ns;
  for (std::size_t i = 0; i < bounds.size(); ++i) bounds[i] += other.bounds[i];
  for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i] += other.buckets[i];
}

HistogramSum HistogramSum::since(const HistogramSum& earlier) const {
  const auto minus = [](std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; };
  HistogramSum out;
  out.count = minus(count, earlier.count);
  out.sum_ns = std::max(sum_ns - earlier.sum_ns, 0.0);
  for (std::size_t i = 0; i < bounds.size(); ++i) out.bounds[i] = minus(bounds[i], earlier.bounds[i]);
  for (std::size_t i = 0; i < buckets.size(); ++i) out.buckets[i] = minus(buckets[i], earlier.buckets[i]);
  return out;
}

HistogramSum HistogramSum::from(const metrics::HistogramTotals& totals) {
  HistogramSum out;
  out.count = totals.count;
  out.sum_ns = totals.sum_ns;
  std::copy_n(totals.bounds.begin(), out.bounds.size(), out.bounds.begin());
  for (const auto& [bucket, count] : totals.buckets) out.buckets[bucket] += count;
  return out;
}

metrics::HistogramTotals HistogramSum::totals() const {
  metrics::HistogramTotals out{count, sum_ns, {bounds.begin(), bounds.end()}, {}};
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    if (buckets[i] > 0) out.buckets.emplace_back(static_cast<std::uint32_t>(i), buckets[i]);
  }
  return out;
}

bool adds_up(const metrics::HistogramTotals& totals) {
  if (totals.bounds.size() != metrics::kLatencyBounds.size()) return false;
  const auto in_bounds = std::accumulate(totals.bounds.begin(), totals.bounds.end(), std::uint64_t{0});
  std::uint64_t in_buckets = 0;
  for (const auto& [bucket, count] : totals.buckets) {
    if (bucket >= metrics::kQuantileBuckets) return false;
    in_buckets += count;
  }
  return in_bounds <= totals.count && in_buckets == totals.count;
}

}  // namespace mdpipe::agent

#include "metrics-agent/forward/exponential_buckets.hpp"

#include <algorithm>
#include <cmath>

#include "libshared/metrics/quantile_histogram.hpp"

namespace mdpipe::agent {
namespace {

// Upper bounds belong to their bucket.
int index_at_finest_scale(std::size_t bucket) {
  const double seconds = metrics::quantile_bucket_middle(bucket) * 1e-9;
  return static_cast<int>(std::ceil(std::log2(seconds) * (1 << kExponentialScaleMax))) - 1;
}

}  // namespace

ExponentialBuckets exponential_buckets(const std::vector<std::uint64_t>& counts) {
  ExponentialBuckets out;
  if (counts.empty()) return out;
  out.zeros = counts.front();
  const auto is_used = [](std::uint64_t count) { return count > 0; };
  const auto first = std::find_if(counts.begin() + 1, counts.end(), is_used);
  if (first == counts.end()) return out;
  const auto last = std::find_if(counts.rbegin(), counts.rend(), is_used);
  const int lowest = index_at_finest_scale(static_cast<std::size_t>(first - counts.begin()));
  const int highest =
      index_at_finest_scale(counts.size() - 1 - static_cast<std::size_t>(last - counts.rbegin()));

  // One scale less merges two buckets into one.
  int shift = 0;
  while ((highest >> shift) - (lowest >> shift) >= static_cast<int>(kExponentialBucketsMax)) ++shift;
  out.scale -= shift;
  out.offset = lowest >> shift;
  out.counts.resize(static_cast<std::size_t>((highest >> shift) - out.offset) + 1);
  for (auto bucket = static_cast<std::size_t>(first - counts.begin()); bucket < counts.size(); ++bucket) {
    if (counts[bucket] == 0) continue;
    out.counts[static_cast<std::size_t>((index_at_finest_scale(bucket) >> shift) - out.offset)] +=
        counts[bucket];
  }
  return out;
}

}  // namespace mdpipe::agent

#include "libshared/metrics/quantile_histogram.hpp"

#include <cmath>
#include <numeric>

namespace mdpipe::metrics {

double quantile(const std::vector<std::uint64_t>& counts, double q) {
  const auto total = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  if (total == 0) return 0;
  const auto rank = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(total)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < counts.size(); ++bucket) {
    seen += counts[bucket];
    if (seen >= rank && counts[bucket] > 0) return quantile_bucket_middle(bucket);
  }
  return quantile_bucket_middle(counts.size() - 1);
}

}  // namespace mdpipe::metrics

#include "metrics-agent/forward/histogram_samples.hpp"

#include <algorithm>
#include <numeric>

#include "libshared/metrics/quantile_histogram.hpp"

namespace mdpipe::agent {
namespace {

constexpr std::uint64_t kRanksMax = 256;

// The largest power of two that is not above `count` (at least 1) and one sample may stand for.
std::uint64_t weight_within(std::uint64_t count) {
  const std::uint64_t power = std::uint64_t{1} << (63 - static_cast<unsigned>(__builtin_clzll(count)));
  return std::min(power, kSampleWeightMax);
}

std::uint64_t total_of(const std::vector<std::uint64_t>& buckets) {
  return std::accumulate(buckets.begin(), buckets.end(), std::uint64_t{0});
}

// Walks through the observations from the smallest to the largest.
class RankCursor {
 public:
  explicit RankCursor(const std::vector<std::uint64_t>& buckets) : buckets_(buckets) {}

  // The next `weight` of them, of which there are enough.
  HistogramSample take(std::uint64_t weight) {
    HistogramSample sample{0, weight, {}};
    for (std::uint64_t wanted = weight; wanted > 0;) {
      while (taken_ == buckets_[bucket_]) next_bucket();
      const std::uint64_t part = std::min(wanted, buckets_[bucket_] - taken_);
      const std::uint64_t passed = weight - wanted;
      if (passed <= weight / 2 && weight / 2 < passed + part) sample.bucket = bucket_;
      sample.covers.emplace_back(static_cast<std::uint32_t>(bucket_), part);
      taken_ += part;
      wanted -= part;
    }
    return sample;
  }

 private:
  void next_bucket() {
    ++bucket_;
    taken_ = 0;
  }

  const std::vector<std::uint64_t>& buckets_;
  std::size_t bucket_ = 0;
  std::uint64_t taken_ = 0;  // of the bucket
};

}  // namespace

std::vector<HistogramSample> samples_by_bucket(const std::vector<std::uint64_t>& buckets) {
  std::vector<HistogramSample> out;
  for (std::size_t bucket = 0; bucket < buckets.size(); ++bucket) {
    for (std::uint64_t left = buckets[bucket]; left > 0;) {
      const std::uint64_t weight = weight_within(left);
      out.push_back({bucket, weight, {{static_cast<std::uint32_t>(bucket), weight}}});
      left -= weight;
    }
  }
  return out;
}

std::vector<HistogramSample> samples_by_rank(const std::vector<std::uint64_t>& buckets) {
  std::vector<HistogramSample> out;
  std::uint64_t left = total_of(buckets);
  if (left == 0) return out;
  std::uint64_t weight = 1;
  while (left / weight > kRanksMax && weight < kSampleWeightMax) weight *= 2;
  RankCursor cursor(buckets);
  for (; left > 0; left -= weight) {
    weight = std::min(weight, weight_within(left));
    out.push_back(cursor.take(weight));
  }
  out.front().bucket = out.front().covers.front().first;
  out.back().bucket = out.back().covers.back().first;
  return out;
}

std::vector<double> values_by_rank(const std::vector<std::uint64_t>& buckets, std::size_t count) {
  std::vector<double> out;
  const std::uint64_t total = total_of(buckets);
  if (total == 0) return out;
  const std::uint64_t values = std::min<std::uint64_t>(total, count);
  std::size_t bucket = 0;
  std::uint64_t seen = buckets[0];
  for (std::uint64_t i = 0; i < values; ++i) {
    // Rank 0 is the smallest, total - 1 the largest.
    const auto rank = values == 1 ? 0
                                  : static_cast<std::uint64_t>(static_cast<long double>(i) *
                                                               static_cast<long double>(total - 1) /
                                                               static_cast<long double>(values - 1));
    while (seen <= rank) seen += buckets[++bucket];
    out.push_back(metrics::quantile_bucket_middle(bucket));
  }
  return out;
}

}  // namespace mdpipe::agent

#pragma once
// The state of a latency histogram as values that can be added and subtracted: origins are summed, a window
// is the difference of two states.
#include <array>
#include <cstdint>
#include <vector>

#include "libshared/metrics/catalogue.hpp"
#include "libshared/metrics/delta.hpp"
#include "libshared/metrics/quantile_histogram.hpp"

namespace mdpipe::agent {

struct HistogramSum {
  std::uint64_t count = 0;
  double sum_ns = 0;
  std::array<std::uint64_t, metrics::kLatencyBounds.size()> bounds{};  // not cumulative
  std::vector<std::uint64_t> buckets;                                  // kQuantileBuckets of them

  HistogramSum() : buckets(metrics::kQuantileBuckets) {}
  void add(const HistogramSum& other);
  // What was added since `earlier`; never below zero.
  [[nodiscard]] HistogramSum since(const HistogramSum& earlier) const;
  static HistogramSum from(const metrics::HistogramTotals& totals);
  [[nodiscard]] metrics::HistogramTotals totals() const;
};

// Whether a message's counts agree with each other; of others a quantile would mean nothing.
bool adds_up(const metrics::HistogramTotals& totals);

}  // namespace mdpipe::agent

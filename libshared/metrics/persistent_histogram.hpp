#pragma once
// The cells of a latency histogram, in the counter file or in plain memory. An observation is a few
// additions. If a kill interrupts one, the next run completes it or removes all of it. totals() returns what
// the cells mean to others.
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "libshared/metrics/catalogue.hpp"
#include "libshared/metrics/delta.hpp"
#include "libshared/metrics/quantile_histogram.hpp"

namespace mdpipe::metrics {

// Plain memory: no pointers, all zero at the start.
class PersistentHistogram {
 public:
  void observe(std::uint64_t nanos);

  [[nodiscard]] std::uint64_t count() const;
  [[nodiscard]] HistogramTotals totals() const;

  // Call after a kill. False if the cells are damaged.
  bool repair();

 private:
  // The observation in progress, written before anything is counted: if the bounds have it and the buckets do
  // not, repair() completes it from here.
  std::uint64_t in_hand_ns_ = 0;
  double in_hand_sum_ns_ = 0;  // the sum including it
  double sum_ns_ = 0;
  std::array<std::uint64_t, kLatencyBounds.size() + 1> bounds_{};  // not cumulative; the last: beyond all
  std::array<std::uint64_t, kQuantileBuckets> buckets_{};
};
static_assert(std::is_trivially_copyable_v<PersistentHistogram>);

}  // namespace mdpipe::metrics

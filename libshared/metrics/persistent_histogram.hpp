#pragma once
// The cells of a latency histogram, as they lie in the counter file or in plain memory. An observation is a
// few additions; one that a kill cuts in half is completed or left out as a whole by the next life. What the
// cells mean to others is told by totals().
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "libshared/metrics/catalogue.hpp"
#include "libshared/metrics/delta.hpp"
#include "libshared/metrics/quantile_histogram.hpp"

namespace mdpipe::metrics {

// Plain memory: no pointers, all zero when it begins.
class PersistentHistogram {
 public:
  void observe(std::uint64_t nanos);

  [[nodiscard]] std::uint64_t count() const;
  [[nodiscard]] HistogramTotals totals() const;

  // After a kill. False where the cells are damaged.
  bool repair();

 private:
  // The one in hand, written before anything is counted: where the bounds have it and the buckets do not, it
  // is finished from here.
  std::uint64_t in_hand_ns_ = 0;
  double in_hand_sum_ns_ = 0;  // the sum with it
  double sum_ns_ = 0;
  std::array<std::uint64_t, kLatencyBounds.size() + 1> bounds_{};  // not cumulative; the last: beyond all
  std::array<std::uint64_t, kQuantileBuckets> buckets_{};
};
static_assert(std::is_trivially_copyable_v<PersistentHistogram>);

}  // namespace mdpipe::metrics

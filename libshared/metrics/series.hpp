#pragma once
// A number to count with, given out by a MetricsCollector. Apart from it because pending counts need it too.
#include <cstdint>

#include "libshared/metrics/delta.hpp"

namespace mdpipe::metrics {

// Only the collector that gave it knows it. Default-made ones count nothing.
class Series {
 public:
  Series() = default;

 private:
  friend class MetricsCollector;
  friend class PendingCounts;
  Series(SeriesId id, std::uint64_t* total) : id_(id), total_(total) {}
  static constexpr SeriesId kNone = ~SeriesId{0};
  SeriesId id_ = kNone;
  std::uint64_t* total_ = nullptr;  // counters only; it stays where it is while the collector lives
};

}  // namespace mdpipe::metrics

#pragma once
// A handle to count with, from MetricsCollector::series(). In a file of its own because pending counts need
// it too.
#include <cstdint>

#include "libshared/metrics/delta.hpp"

namespace mdpipe::metrics {

// Valid only with the collector that returned it. A default-constructed one counts nothing.
class Series {
 public:
  Series() = default;

 private:
  friend class MetricsCollector;
  friend class PendingCounts;
  Series(SeriesId id, std::uint64_t* total) : id_(id), total_(total) {}
  static constexpr SeriesId kNone = ~SeriesId{0};
  SeriesId id_ = kNone;
  std::uint64_t* total_ = nullptr;  // counters only; it does not move while the collector exists
};

}  // namespace mdpipe::metrics

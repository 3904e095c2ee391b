#pragma once
// The one value of a series over all sources that count it: counters and histograms are summed; of a gauge,
// the last value from a running source counts. /metrics and every forwarder of current values read it.
#include <array>
#include <cstdint>
#include <optional>

#include "metrics-agent/store/snapshot_store.hpp"

namespace mdpipe::agent {

struct MergedValue {
  std::uint64_t counter = 0;
  std::optional<double> number;  // gauges and fractional counters; empty if no running source has set it
  std::uint64_t count = 0;       // histograms
  double sum_ns = 0;
  std::array<std::uint64_t, metrics::kLatencyBounds.size()> bounds{};  // not cumulative
};

// The store's own values about each source; no component sends them.
inline constexpr std::array kSourceMetrics = {metrics::Metric::ComponentUp, metrics::Metric::ComponentStopped,
                                              metrics::Metric::ComponentLastSeen};
bool is_source_metric(metrics::Metric metric);
double source_value(const Source& source, metrics::Metric metric);

MergedValue merge(const SnapshotStore& store, SeriesIndex series);

}  // namespace mdpipe::agent

#pragma once
// The current values for a destination, beside the counters: every gauge that a running source has set, and
// the store's own values about the sources. Pure.
#include <functional>

#include "metrics-agent/store/snapshot_store.hpp"

namespace mdpipe::agent {

// Calls `visit` for the wanted gauges, in the order of the series. The value of a StateSet is the number of
// its state; values that are not finite are left out.
void for_each_gauge(const SnapshotStore& store, bool (*is_wanted)(const metrics::MetricInfo& info),
                    const std::function<void(const SeriesKey& key, double value)>& visit);

}  // namespace mdpipe::agent

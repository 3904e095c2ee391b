#pragma once
// What a destination of current values is told beside the counters: every gauge that a living source has set,
// and what the store knows of the sources themselves. Pure.
#include <functional>

#include "metrics-agent/store/snapshot_store.hpp"

namespace mdpipe::agent {

// Those that are wanted, in the order of the series. A StateSet is told as the number of its state; what is
// not a finite number is left out.
void for_each_gauge(const SnapshotStore& store, bool (*is_wanted)(const metrics::MetricInfo& info),
                    const std::function<void(const SeriesKey& key, double value)>& tell);

}  // namespace mdpipe::agent

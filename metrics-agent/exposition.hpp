#pragma once
// The store as Prometheus text. Two name profiles serve the same counts: the default one with the catalogue's
// names, and `ws` for dashboards that already use its names; what `ws` has no name for keeps the catalogue's.
#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "metrics-agent/snapshot_store.hpp"

namespace mdpipe::agent {

enum class NameProfile { Collector, Ws };

std::vector<prometheus::MetricFamily> metric_families(const SnapshotStore& store, NameProfile profile);

std::string to_text(const std::vector<prometheus::MetricFamily>& families);

}  // namespace mdpipe::agent

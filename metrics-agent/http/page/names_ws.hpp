#pragma once
// The name profile `ws`: families of the catalogue under names such as ws_events_received_total. Counts are
// the same; series that get the same labels (a stream's prefix is cut off) are summed.
#include <vector>

#include "metrics-agent/http/page/page_writer.hpp"
#include "metrics-agent/store/snapshot_store.hpp"

namespace mdpipe::agent {

// `series` are those of the metric. False, and nothing is written, if the profile has no name of its own for
// it.
bool write_family_ws(const SnapshotStore& store, const metrics::MetricInfo& info,
                     const std::vector<SeriesIndex>& series, PageWriter& page);

// redis_publish_errors_total; `series` are those of Metric::Errors.
void write_publish_errors_ws(const SnapshotStore& store, const std::vector<SeriesIndex>& series,
                             PageWriter& page);

}  // namespace mdpipe::agent

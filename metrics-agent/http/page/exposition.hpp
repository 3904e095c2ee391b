#pragma once
// The store as a page for Prometheus. There are two name profiles for the same counts: the default one has
// the names of the catalogue; `ws` (names_ws.hpp) is for dashboards that already use its names, and a metric
// without a name in `ws` keeps that of the catalogue. Two formats contain the same samples.
#include <string>

#include "metrics-agent/http/page/negotiation.hpp"
#include "metrics-agent/http/page/page_writer.hpp"
#include "metrics-agent/store/snapshot_store.hpp"

namespace mdpipe::agent {

enum class NameProfile { Collector, Ws };

// The body of an answer, compressed if the form says so.
std::string make_exposition(const SnapshotStore& store, NameProfile profile, const PageForm& form);

// Adds the value of a series of the metric. A gauge that no running source has set has none.
void add_value(const metrics::MetricInfo& info, const LabelList& labels, const MergedValue& value,
               const HistogramScale& scale, PageWriter& page);

}  // namespace mdpipe::agent

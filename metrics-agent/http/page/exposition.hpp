#pragma once
// The store as a page for Prometheus. Two name profiles serve the same counts: the default one with the
// catalogue's names, and `ws` (names_ws.hpp) for dashboards that already use its names; what `ws` has no name
// for keeps the catalogue's. Two formats write the same samples.
#include <string>

#include "metrics-agent/http/page/negotiation.hpp"
#include "metrics-agent/http/page/page_writer.hpp"
#include "metrics-agent/store/snapshot_store.hpp"

namespace mdpipe::agent {

enum class NameProfile { Collector, Ws };

// The body of an answer, packed where the form says so.
std::string make_exposition(const SnapshotStore& store, NameProfile profile, const PageForm& form);

// The value of a series of the metric, where it has one: nothing is added for a gauge that no living source
// has set.
void add_value(const metrics::MetricInfo& info, const LabelList& labels, const MergedValue& value,
               const HistogramScale& scale, PageWriter& page);

}  // namespace mdpipe::agent

#pragma once
// The name profile `ws`: families of the catalogue renamed to ws_events_received_total and its kin. Counts
// are the same; series that fall together (a stream's prefix is cut off) are summed.
#include <prometheus/metric_family.h>

#include <vector>

namespace mdpipe::agent {

// `families` in the catalogue's order, all of them, as metric_families() builds them.
std::vector<prometheus::MetricFamily> with_ws_names(std::vector<prometheus::MetricFamily> families);

}  // namespace mdpipe::agent

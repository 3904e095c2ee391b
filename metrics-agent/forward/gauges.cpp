#include "metrics-agent/forward/gauges.hpp"

#include <cmath>

#include "metrics-agent/store/merged.hpp"

namespace mdpipe::agent {

using metrics::Metric;

void for_each_gauge(const SnapshotStore& store, bool (*is_wanted)(const metrics::MetricInfo& info),
                    const std::function<void(const SeriesKey& key, double value)>& visit) {
  for (SeriesIndex series = 0; series < store.series().size(); ++series) {
    const metrics::MetricInfo& info = store.series().info(series);
    if (!is_gauge_on_wire(info) || !is_wanted(info)) continue;
    const auto number = merge(store, series).number;
    if (number && std::isfinite(*number)) visit(store.series()[series], *number);
  }
  for (const Source& source : store.sources()) {
    const metrics::LabelValues labels = {source.component, source.name};
    for (const Metric metric : kSourceMetrics) {
      if (const metrics::MetricInfo& info = metrics::info(metric); is_wanted(info))
        visit({&info, labels}, source_value(source, metric));
    }
  }
}

}  // namespace mdpipe::agent

#include "metrics-agent/store/merged.hpp"

#include <algorithm>

namespace mdpipe::agent {
namespace {

void add_histogram(const HistogramSum& histogram, MergedValue& value) {
  value.count += histogram.count;
  value.sum_ns += histogram.sum_ns;
  for (std::size_t i = 0; i < value.bounds.size(); ++i) value.bounds[i] += histogram.bounds[i];
}

}  // namespace

bool is_source_metric(metrics::Metric metric) {
  return std::find(kSourceMetrics.begin(), kSourceMetrics.end(), metric) != kSourceMetrics.end();
}

double source_value(const Source& source, metrics::Metric metric) {
  if (metric == metrics::Metric::ComponentUp) return source.up ? 1 : 0;
  if (metric == metrics::Metric::ComponentStopped) return !source.up && source.said_goodbye ? 1 : 0;
  return static_cast<double>(source.last_seen.wall.count) * 1e-9;
}

MergedValue merge(const SnapshotStore& store, SeriesIndex series) {
  MergedValue value;
  std::uint64_t stamp = 0;
  for (CellIndex index = store.first_cell(series); index != kNoCell; index = store.cells()[index].next) {
    const Cell& cell = store.cells()[index];
    if (cell.histogram) {
      add_histogram(cell.histogram->ended, value);
      add_histogram(cell.histogram->current, value);
    } else if (!is_gauge_on_wire(store.info(cell))) {
      value.counter += cell.total();
    } else if (store.sources()[cell.source].up && cell.gauge_stamp > stamp) {
      value.number = cell.gauge;
      stamp = cell.gauge_stamp;
    }
  }
  return value;
}

}  // namespace mdpipe::agent

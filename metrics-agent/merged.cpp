#include "metrics-agent/merged.hpp"

namespace mdpipe::agent {
namespace {

void add_histogram(const HistogramSum& histogram, MergedValue& value) {
  value.count += histogram.count;
  value.sum_ns += histogram.sum_ns;
  for (std::size_t i = 0; i < value.bounds.size(); ++i) value.bounds[i] += histogram.bounds[i];
}

}  // namespace

std::vector<MergedValue> merge(const SnapshotStore& store) {
  std::vector<MergedValue> values(store.series().size());
  std::vector<std::uint64_t> stamps(values.size());
  for (const Cell& cell : store.cells()) {
    MergedValue& value = values[cell.series];
    if (cell.histogram) {
      add_histogram(cell.histogram->ended, value);
      add_histogram(cell.histogram->current, value);
    } else if (!is_gauge_on_wire(*store.key(cell).info)) {
      value.counter += cell.total();
    } else if (store.sources()[cell.source].up && cell.gauge_stamp > stamps[cell.series]) {
      value.number = cell.gauge;
      stamps[cell.series] = cell.gauge_stamp;
    }
  }
  return values;
}

}  // namespace mdpipe::agent

#include "metrics-agent/http/exposition.hpp"

#include <array>
#include <string_view>
#include <vector>

#include "libshared/event/event.hpp"
#include "metrics-agent/http/exposition_parts.hpp"
#include "metrics-agent/http/names_ws.hpp"

namespace mdpipe::agent {

using metrics::Kind;
using metrics::Metric;

prometheus::MetricType type_of(Kind kind) {
  switch (kind) {
    case Kind::Counter:
      return prometheus::MetricType::Counter;
    case Kind::Gauge:
    case Kind::StateSet:
      return prometheus::MetricType::Gauge;
    case Kind::Histogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

namespace {

constexpr HistogramScale kSeconds = {metrics::kLatencyBounds, 1e-9};

void set_histogram(const MergedValue& value, const HistogramScale& scale,
                   prometheus::ClientMetric::Histogram& out) {
  out.sample_count = value.count;
  out.sample_sum = value.sum_ns * scale.sum_factor;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < value.bounds.size(); ++i) {
    cumulative += value.bounds[i];
    if (scale.bounds[i] > 0) out.bucket.push_back({cumulative, scale.bounds[i]});
  }
}

}  // namespace

bool set_value(const metrics::MetricInfo& info, const MergedValue& value, const HistogramScale& scale,
               prometheus::ClientMetric& metric) {
  if (info.kind == Kind::Histogram) {
    set_histogram(value, scale, metric.histogram);
  } else if (!is_gauge_on_wire(info)) {
    metric.counter.value = static_cast<double>(value.counter);
  } else if (value.number) {
    (info.kind == Kind::Counter ? metric.counter.value : metric.gauge.value) = *value.number;
  } else {
    return false;
  }
  return true;
}

namespace {

void set_labels(const SeriesKey& key, prometheus::ClientMetric& metric) {
  for (std::size_t i = 0; i < key.labels.size(); ++i)
    metric.label.push_back({std::string(key.info->labels[i]), std::string(key.labels[i])});
}

// A series for each state, 1 for the one that `value` is the number of.
void write_states(const SeriesKey& key, const MergedValue& value, FamilyWriter& family) {
  if (!value.number) return;
  for (const FeedState state : kFeedStates) {
    prometheus::ClientMetric& metric = family.add();
    set_labels(key, metric);
    metric.label.push_back({"state", std::string(to_string(state))});
    metric.gauge.value = *value.number == static_cast<double>(state) ? 1 : 0;
  }
}

void write_family(const SnapshotStore& store, const metrics::MetricInfo& info,
                  const std::vector<SeriesIndex>& all_series, std::string& out) {
  FamilyWriter family(out, info.name, type_of(info.kind), info.help);
  for (const SeriesIndex series : all_series) {
    const SeriesKey key = store.series()[series];
    const MergedValue value = merge(store, series);
    if (info.kind == Kind::StateSet) {
      write_states(key, value, family);
      continue;
    }
    prometheus::ClientMetric& metric = family.add();
    set_labels(key, metric);
    if (!set_value(info, value, kSeconds, metric)) family.drop();
  }
}

// What the store knows about the sources themselves; nobody sends it.
void write_sources(const SnapshotStore& store, const metrics::MetricInfo& info, std::string& out) {
  FamilyWriter family(out, info.name, type_of(info.kind), info.help);
  for (const Source& source : store.sources()) {
    prometheus::ClientMetric& metric = family.add();
    metric.label = {{"component", source.component}, {"source", source.name}};
    metric.gauge.value = source_value(source, info.metric);
  }
}

}  // namespace

void write_exposition(const SnapshotStore& store, NameProfile profile, std::string& out) {
  out.clear();
  std::array<std::vector<SeriesIndex>, metrics::kCatalogue.size()> by_metric;
  for (SeriesIndex series = 0; series < store.series().size(); ++series)
    by_metric[static_cast<std::size_t>(store.series().info(series).metric)].push_back(series);
  for (const auto& info : metrics::kCatalogue) {
    const auto& series = by_metric[static_cast<std::size_t>(info.metric)];
    if (is_source_metric(info.metric)) {
      write_sources(store, info, out);
    } else if (profile != NameProfile::Ws || !write_family_ws(store, info, series, out)) {
      write_family(store, info, series, out);
    }
  }
  if (profile == NameProfile::Ws)
    write_publish_errors_ws(store, by_metric[static_cast<std::size_t>(Metric::Errors)], out);
}

}  // namespace mdpipe::agent

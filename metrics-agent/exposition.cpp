#include "metrics-agent/exposition.hpp"

#include <prometheus/text_serializer.h>

#include <utility>

#include "libshared/event/event.hpp"
#include "metrics-agent/merged.hpp"
#include "metrics-agent/names_ws.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Kind;
using metrics::Metric;
using prometheus::ClientMetric;
using prometheus::MetricFamily;

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

ClientMetric::Histogram histogram_of(const MergedValue& value) {
  ClientMetric::Histogram out;
  out.sample_count = value.count;
  out.sample_sum = value.sum_ns * 1e-9;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < value.bounds.size(); ++i) {
    cumulative += value.bounds[i];
    out.bucket.push_back({cumulative, metrics::kLatencyBounds[i]});
  }
  return out;
}

ClientMetric labelled(const SeriesKey& key) {
  ClientMetric metric;
  for (std::size_t i = 0; i < key.labels.size(); ++i) {
    metric.label.push_back({std::string(key.info->labels[i]), key.labels[i]});
  }
  return metric;
}

// False for a gauge that no living source has set.
bool set_value(const SeriesKey& key, const MergedValue& value, ClientMetric& metric) {
  if (is_gauge_on_wire(*key.info)) {
    if (!value.number) return false;
    (key.info->kind == Kind::Counter ? metric.counter.value : metric.gauge.value) = *value.number;
  } else if (key.info->kind == Kind::Histogram) {
    metric.histogram = histogram_of(value);
  } else {
    metric.counter.value = static_cast<double>(value.counter);
  }
  return true;
}

// A series for each state, 1 for the one that `metric` holds the number of.
void add_states(ClientMetric metric, MetricFamily& family) {
  const double current = metric.gauge.value;
  metric.label.push_back({"state", ""});
  for (const FeedState state : kFeedStates) {
    metric.label.back().value = to_string(state);
    metric.gauge.value = current == static_cast<double>(state) ? 1 : 0;
    family.metric.push_back(metric);
  }
}

// What the store knows about the sources themselves; nobody sends it.
void add_source_metrics(const SnapshotStore& store, std::vector<MetricFamily>& families) {
  const auto family = [&families](Metric metric) -> MetricFamily& {
    return families[static_cast<std::size_t>(metric)];
  };
  for (const Source& source : store.sources()) {
    ClientMetric metric;
    metric.label = {{"component", source.component}, {"source", source.name}};
    metric.gauge.value = source.up ? 1 : 0;
    family(Metric::ComponentUp).metric.push_back(metric);
    metric.gauge.value = static_cast<double>(source.last_seen.wall.count) * 1e-9;
    family(Metric::ComponentLastSeen).metric.push_back(std::move(metric));
  }
}

}  // namespace

std::vector<MetricFamily> metric_families(const SnapshotStore& store, NameProfile profile) {
  std::vector<MetricFamily> families;
  families.reserve(metrics::kCatalogue.size());
  for (const auto& info : metrics::kCatalogue) {
    families.push_back({std::string(info.name), std::string(info.help), type_of(info.kind), {}});
  }
  const auto values = merge(store);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const SeriesKey& key = store.series()[i];
    if (key.info->metric == Metric::ComponentUp || key.info->metric == Metric::ComponentLastSeen) continue;
    ClientMetric metric = labelled(key);
    if (!set_value(key, values[i], metric)) continue;
    MetricFamily& family = families[static_cast<std::size_t>(key.info->metric)];
    if (key.info->kind == Kind::StateSet) {
      add_states(std::move(metric), family);
    } else {
      family.metric.push_back(std::move(metric));
    }
  }
  add_source_metrics(store, families);
  if (profile == NameProfile::Ws) families = with_ws_names(std::move(families));
  std::vector<MetricFamily> out;
  for (MetricFamily& family : families) {
    if (!family.metric.empty()) out.push_back(std::move(family));
  }
  return out;
}

std::string to_text(const std::vector<MetricFamily>& families) {
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace mdpipe::agent

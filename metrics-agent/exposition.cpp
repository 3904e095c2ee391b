#include "metrics-agent/exposition.hpp"

#include <array>
#include <string_view>
#include <vector>

#include "libshared/event/event.hpp"
#include "metrics-agent/exposition_parts.hpp"
#include "metrics-agent/names_ws.hpp"

namespace mdpipe::agent {

using metrics::Kind;
using metrics::Metric;

std::string_view type_name(Kind kind) {
  switch (kind) {
    case Kind::Counter:
      return "counter";
    case Kind::Gauge:
    case Kind::StateSet:
      return "gauge";
    case Kind::Histogram:
      return "histogram";
  }
  return "untyped";
}

void write_value(const metrics::MetricInfo& info, std::string_view labels, const MergedValue& value,
                 FamilyWriter& family) {
  if (!is_gauge_on_wire(info)) {
    family.sample(labels, value.counter);
  } else if (value.number) {
    family.sample(labels, *value.number);
  }
}

void write_histogram(std::string& labels, const MergedValue& value, const HistogramScale& scale,
                     FamilyWriter& family) {
  family.sample(labels, value.count, "_count");
  family.sample(labels, value.sum_ns * scale.sum_factor, "_sum");
  const std::size_t labels_end = labels.size();
  const auto bucket = [&](std::string_view bound, std::uint64_t count) {
    append_label("le", bound, labels);
    family.sample(labels, count, "_bucket");
    labels.resize(labels_end);
  };
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < value.bounds.size(); ++i) {
    cumulative += value.bounds[i];
    if (!scale.bounds[i].empty()) bucket(scale.bounds[i], cumulative);
  }
  bucket("+Inf", value.count);
}

namespace {

// kLatencyBounds as text, which a compiler cannot make of numbers.
constexpr HistogramScale kSeconds = {{"0.0001", "0.0002", "0.0005", "0.001", "0.002", "0.005", "0.01", "0.02",
                                      "0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10"},
                                     1e-9};

// A series for each state, 1 for the one that `value` is the number of.
void write_states(std::string& labels, const MergedValue& value, FamilyWriter& family) {
  if (!value.number) return;
  const std::size_t labels_end = labels.size();
  for (const FeedState state : kFeedStates) {
    append_label("state", to_string(state), labels);
    family.sample(labels, std::uint64_t{*value.number == static_cast<double>(state) ? 1U : 0U});
    labels.resize(labels_end);
  }
}

void write_family(const SnapshotStore& store, const metrics::MetricInfo& info,
                  const std::vector<SeriesIndex>& all_series, std::string& out) {
  FamilyWriter family(out, {info.name, type_name(info.kind), info.help});
  std::string labels;
  for (const SeriesIndex series : all_series) {
    const SeriesKey key = store.series()[series];
    labels.clear();
    for (std::size_t i = 0; i < key.labels.size(); ++i) append_label(info.labels[i], key.labels[i], labels);
    const MergedValue value = merge(store, series);
    if (info.kind == Kind::StateSet) {
      write_states(labels, value, family);
    } else if (info.kind == Kind::Histogram) {
      write_histogram(labels, value, kSeconds, family);
    } else {
      write_value(info, labels, value, family);
    }
  }
}

// What the store knows about the sources themselves; nobody sends it.
void write_sources(const SnapshotStore& store, const metrics::MetricInfo& info, std::string& out) {
  FamilyWriter family(out, {info.name, type_name(info.kind), info.help});
  for (const Source& source : store.sources()) {
    std::string labels;
    append_label("component", source.component, labels);
    append_label("source", source.name, labels);
    if (info.metric == Metric::ComponentUp) {
      family.sample(labels, std::uint64_t{source.up ? 1U : 0U});
    } else {
      family.sample(labels, static_cast<double>(source.last_seen.wall.count) * 1e-9);
    }
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
    if (info.metric == Metric::ComponentUp || info.metric == Metric::ComponentLastSeen) {
      write_sources(store, info, out);
    } else if (profile != NameProfile::Ws || !write_family_ws(store, info, series, out)) {
      write_family(store, info, series, out);
    }
  }
  if (profile == NameProfile::Ws)
    write_publish_errors_ws(store, by_metric[static_cast<std::size_t>(Metric::Errors)], out);
}

}  // namespace mdpipe::agent

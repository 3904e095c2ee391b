#include "metrics-agent/http/page/exposition.hpp"

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "libshared/event/event.hpp"
#include "metrics-agent/http/page/names_ws.hpp"
#include "metrics-agent/http/page/open_metrics_text.hpp"
#include "metrics-agent/http/page/page_text.hpp"
#include "metrics-agent/http/page/prometheus_text.hpp"

namespace mdpipe::agent {

using metrics::Kind;
using metrics::Metric;

void add_value(const metrics::MetricInfo& info, const LabelList& labels, const MergedValue& value,
               const HistogramScale& scale, PageWriter& page) {
  if (info.kind == Kind::Histogram) {
    page.add_histogram(labels, value, scale);
  } else if (!is_gauge_on_wire(info)) {
    page.add_count(labels, value.counter);
  } else if (value.number) {
    page.add_number(labels, *value.number);
  }
}

namespace {

// Larger than most pages. Reserved memory that is not written to costs nothing; growing by doubling costs up
// to twice the page.
constexpr std::size_t kBytesPerSeries = 256;
constexpr HistogramScale kSeconds = {metrics::kLatencyBounds, 1e-9};

LabelList labels_of(const SeriesKey& key) {
  LabelList labels;
  for (std::size_t i = 0; i < key.labels.size(); ++i) labels.push_back({key.info->labels[i], key.labels[i]});
  return labels;
}

// A series for each state; 1 for the state whose number is `value`.
void add_states(const LabelList& labels, const MergedValue& value, PageWriter& page) {
  if (!value.number) return;
  for (const FeedState state : kFeedStates) {
    LabelList with_state = labels;
    with_state.push_back({"state", to_string(state)});
    page.add_count(with_state, *value.number == static_cast<double>(state) ? 1 : 0);
  }
}

void write_family(const SnapshotStore& store, const metrics::MetricInfo& info,
                  const std::vector<SeriesIndex>& all_series, PageWriter& page) {
  page.begin_family({info.name, info.kind, info.help});
  for (const SeriesIndex series : all_series) {
    const LabelList labels = labels_of(store.series()[series]);
    const MergedValue value = merge(store, series);
    if (info.kind == Kind::StateSet) {
      add_states(labels, value, page);
    } else {
      add_value(info, labels, value, kSeconds, page);
    }
  }
  page.end_family();
}

// The store's own values about the sources; no component sends them.
void write_sources(const SnapshotStore& store, const metrics::MetricInfo& info, PageWriter& page) {
  page.begin_family({info.name, info.kind, info.help});
  for (const Source& source : store.sources()) {
    LabelList labels;
    labels.push_back({"component", source.component});
    labels.push_back({"source", source.name});
    page.add_number(labels, source_value(source, info.metric));
  }
  page.end_family();
}

void write_families(const SnapshotStore& store, NameProfile profile, PageWriter& page) {
  std::array<std::vector<SeriesIndex>, metrics::kCatalogue.size()> by_metric;
  for (SeriesIndex series = 0; series < store.series().size(); ++series)
    by_metric[static_cast<std::size_t>(store.series().info(series).metric)].push_back(series);
  for (const auto& info : metrics::kCatalogue) {
    const auto& series = by_metric[static_cast<std::size_t>(info.metric)];
    if (is_source_metric(info.metric)) {
      write_sources(store, info, page);
    } else if (profile != NameProfile::Ws || !write_family_ws(store, info, series, page)) {
      write_family(store, info, series, page);
    }
  }
  if (profile == NameProfile::Ws)
    write_publish_errors_ws(store, by_metric[static_cast<std::size_t>(Metric::Errors)], page);
  page.end_page();
}

std::unique_ptr<PageWriter> make_writer(TextFormat format, PageText& text) {
  if (format == TextFormat::Prometheus) return std::make_unique<PrometheusText>(text);
  return std::make_unique<OpenMetricsText>(text);
}

}  // namespace

std::string make_exposition(const SnapshotStore& store, NameProfile profile, const PageForm& form) {
  PageText text(form.gzip);
  if (!form.gzip) text.text().reserve(store.series().size() * kBytesPerSeries);
  write_families(store, profile, *make_writer(form.format, text));
  return text.take();
}

}  // namespace mdpipe::agent

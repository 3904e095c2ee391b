#include "metrics-agent/http/page/names_ws.hpp"

#include <algorithm>
#include <map>
#include <string_view>

#include "libshared/metrics/catalogue.hpp"
#include "metrics-agent/http/page/exposition.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Kind;
using metrics::Metric;

// The bounds of kLatencyBounds that are shown, in milliseconds.
constexpr HistogramScale kMilliseconds = {{0, 0, 0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 0, 0, 0}, 1e-6};

std::string_view name_of(Metric metric) {
  switch (metric) {
    case Metric::MessagesReceived:
      return "ws_events_received_total";
    case Metric::MessagesPublished:
      return "ws_events_published_total";
    case Metric::Reconnects:
      return "ws_reconnects_total";
    case Metric::LastMessageTimestamp:
      return "last_message_timestamp";
    case Metric::PublishLatency:
      return "redis_publish_latency_ms";
    default:
      return {};
  }
}

// "md:ticker" -> "ticker"; a channel has no prefix.
std::string_view event_type_of(std::string_view name) {
  const std::size_t colon = name.rfind(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

LabelList ws_labels_of(const SeriesKey& key) {
  LabelList labels;
  for (std::size_t i = 0; i < key.labels.size(); ++i) {
    const std::string_view name = key.info->labels[i];
    if (name == "channel" || name == "stream") {
      labels.push_back({"type", event_type_of(key.labels[i])});
    } else {
      labels.push_back({name, key.labels[i]});
    }
  }
  return labels;
}

void add(const MergedValue& from, MergedValue& to) {
  to.counter += from.counter;
  if (from.number)
    to.number = std::max(to.number.value_or(*from.number), *from.number);  // timestamps: the latest
  to.count += from.count;
  to.sum_ns += from.sum_ns;
  for (std::size_t i = 0; i < to.bounds.size(); ++i) to.bounds[i] += from.bounds[i];
}

}  // namespace

bool write_family_ws(const SnapshotStore& store, const metrics::MetricInfo& info,
                     const std::vector<SeriesIndex>& series, PageWriter& page) {
  const std::string_view name = name_of(info.metric);
  if (name.empty()) return false;
  std::map<LabelList, MergedValue> summed;
  for (const SeriesIndex index : series)
    add(merge(store, index), summed[ws_labels_of(store.series()[index])]);
  page.begin_family({name, info.kind, info.help});
  for (const auto& [labels, value] : summed) add_value(info, labels, value, kMilliseconds, page);
  page.end_family();
  return true;
}

void write_publish_errors_ws(const SnapshotStore& store, const std::vector<SeriesIndex>& series,
                             PageWriter& page) {
  MergedValue sum;
  bool is_known = false;
  for (const SeriesIndex index : series) {
    if (store.series()[index].labels[1] != metrics::error_type::kPublish) continue;
    add(merge(store, index), sum);
    is_known = true;
  }
  page.begin_family(
      {"redis_publish_errors_total", Kind::Counter, "Times Redis refused a command or went away."});
  if (is_known) page.add_count({}, sum.counter);
  page.end_family();
}

}  // namespace mdpipe::agent

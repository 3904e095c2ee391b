#include "metrics-agent/names_ws.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "libshared/metrics/catalogue.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;
using prometheus::ClientMetric;
using prometheus::MetricFamily;
using Labels = std::vector<ClientMetric::Label>;

// Seconds; in the exposition they are 1, 2, 5, ... 1000 ms. All are among kLatencyBounds.
constexpr double kBoundsMs[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};

// "md:ticker" -> "ticker"; a channel has no prefix.
std::string type_of(const std::string& name) {
  const std::size_t colon = name.rfind(':');
  return colon == std::string::npos ? name : name.substr(colon + 1);
}

Labels with_type(Labels labels) {
  for (auto& label : labels) {
    if (label.name == "channel" || label.name == "stream") label = {"type", type_of(label.value)};
  }
  return labels;
}

void add(const ClientMetric& from, ClientMetric& to) {
  to.counter.value += from.counter.value;
  to.gauge.value = std::max(to.gauge.value, from.gauge.value);  // timestamps: the latest
  to.histogram.sample_count += from.histogram.sample_count;
  to.histogram.sample_sum += from.histogram.sample_sum;
  if (to.histogram.bucket.empty()) {
    to.histogram.bucket = from.histogram.bucket;
    return;
  }
  for (std::size_t i = 0; i < from.histogram.bucket.size(); ++i) {
    to.histogram.bucket[i].cumulative_count += from.histogram.bucket[i].cumulative_count;
  }
}

template <typename LabelsOf>
MetricFamily renamed(const MetricFamily& family, std::string name, std::string help, LabelsOf labels_of) {
  std::map<Labels, ClientMetric> summed;
  for (const ClientMetric& metric : family.metric) add(metric, summed[labels_of(metric.label)]);
  MetricFamily out{std::move(name), std::move(help), family.type, {}};
  for (auto& [labels, metric] : summed) {
    metric.label = labels;
    out.metric.push_back(std::move(metric));
  }
  return out;
}

void to_milliseconds(ClientMetric::Histogram& histogram) {
  std::vector<ClientMetric::Bucket> buckets;
  for (const double bound_ms : kBoundsMs) {
    for (const auto& bucket : histogram.bucket) {
      const bool same = bucket.upper_bound > bound_ms * 0.999e-3 && bucket.upper_bound < bound_ms * 1.001e-3;
      if (same) buckets.push_back({bucket.cumulative_count, bound_ms});
    }
  }
  histogram.bucket = std::move(buckets);
  histogram.sample_sum *= 1e3;
}

MetricFamily publish_errors(const MetricFamily& errors) {
  MetricFamily only{{}, {}, errors.type, {}};
  for (const ClientMetric& metric : errors.metric) {
    if (metric.label[1].value == metrics::error_type::kPublish) only.metric.push_back(metric);
  }
  return renamed(only, "redis_publish_errors_total", "Times Redis refused a command or went away.",
                 [](const Labels&) { return Labels(); });
}

}  // namespace

std::vector<MetricFamily> with_ws_names(std::vector<MetricFamily> families) {
  const auto family = [&families](Metric metric) -> MetricFamily& {
    return families[static_cast<std::size_t>(metric)];
  };
  const auto rename = [&family](Metric metric, const char* name) {
    MetricFamily& one = family(metric);
    one = renamed(one, name, one.help, with_type);
  };
  rename(Metric::MessagesReceived, "ws_events_received_total");
  rename(Metric::MessagesPublished, "ws_events_published_total");
  rename(Metric::Reconnects, "ws_reconnects_total");
  rename(Metric::LastMessageTimestamp, "last_message_timestamp");
  rename(Metric::PublishLatency, "redis_publish_latency_ms");
  for (ClientMetric& metric : family(Metric::PublishLatency).metric) to_milliseconds(metric.histogram);
  families.push_back(publish_errors(family(Metric::Errors)));
  return families;
}

}  // namespace mdpipe::agent

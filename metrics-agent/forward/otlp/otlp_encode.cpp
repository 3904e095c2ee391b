#include "metrics-agent/forward/otlp/otlp_encode.hpp"

#include <algorithm>
#include <utility>

#include "metrics-agent/forward/otlp/otlp_metric.hpp"
#include "metrics-agent/forward/otlp/otlp_points.hpp"
#include "metrics-agent/store/merged.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Kind;
using metrics::MetricInfo;

constexpr int kDelta = 1, kCumulative = 2;  // AggregationTemporality
constexpr std::string_view kScopeName = "mdpipe";

otlp::Metric data_field(const MetricInfo& info, HistogramForm histograms) {
  if (info.kind == Kind::Counter) return otlp::Metric::Sum;
  if (info.kind != Kind::Histogram) return otlp::Metric::Gauge;
  return histograms == HistogramForm::Exponential ? otlp::Metric::ExponentialHistogram
                                                  : otlp::Metric::Histogram;
}

}  // namespace

// Writes one request, from the encoder's next series on.
class OtlpEncoder::Writer {
 public:
  Writer(OtlpEncoder& encoder, OtlpRequest& request)
      : encoder_(encoder),
        request_(request),
        form_(encoder.form_),
        points_(form_, encoder.store_, encoder.counts_) {}

  void write();

 private:
  void write_metrics(OtlpMessage<otlp::ScopeMetrics>& scope_metrics);
  void write_metric(OtlpMessage<otlp::Metric>& metric);
  [[nodiscard]] bool is_done() const {
    return encoder_.is_done() || request_.points >= form_.points_max || request_.body.size() >= kOtlpBytesMax;
  }

  OtlpEncoder& encoder_;
  OtlpRequest& request_;
  const OtlpForm& form_;
  OtlpPoints points_;
};

void OtlpEncoder::Writer::write() {
  OtlpMessage<otlp::ExportRequest> message(request_.body);
  OtlpMessage<otlp::ResourceMetrics> resource_metrics(message, otlp::ExportRequest::ResourceMetrics);
  {
    OtlpMessage<otlp::Resource> resource(resource_metrics, otlp::ResourceMetrics::Resource);
    for (const auto& [name, value] : form_.resource)
      add_attribute(resource, otlp::Resource::Attributes, name, value);
  }
  OtlpMessage<otlp::ScopeMetrics> scope_metrics(resource_metrics, otlp::ResourceMetrics::ScopeMetrics);
  {
    OtlpMessage<otlp::Scope> scope(scope_metrics, otlp::ScopeMetrics::Scope);
    scope.add_string(otlp::Scope::Name, kScopeName);
    scope.add_string(otlp::Scope::Version, form_.version);
  }
  write_metrics(scope_metrics);
}

void OtlpEncoder::Writer::write_metrics(OtlpMessage<otlp::ScopeMetrics>& scope_metrics) {
  while (!is_done()) {
    const std::size_t points_before = request_.points;
    OtlpMessage<otlp::Metric> metric(scope_metrics, otlp::ScopeMetrics::Metrics);
    write_metric(metric);
    if (request_.points == points_before) metric.rollback();
  }
}

// As many points of the next metric as there are, or as the request has room for.
void OtlpEncoder::Writer::write_metric(OtlpMessage<otlp::Metric>& metric) {
  const MetricInfo& info = metrics::info(encoder_.items_[encoder_.next_].metric);
  metric.add_string(otlp::Metric::Name, info.name);
  metric.add_string(otlp::Metric::Description, info.help);
  if (const auto unit = otlp_unit(info); !unit.empty()) metric.add_string(otlp::Metric::Unit, unit);
  const otlp::Metric field = data_field(info, form_.histograms);
  OtlpMessage<otlp::Data> data(metric, field);
  while (!is_done() && encoder_.items_[encoder_.next_].metric == info.metric)
    request_.points += points_.write(data, encoder_.items_[encoder_.next_++]);
  if (field == otlp::Metric::Gauge) return;
  data.add_enum(otlp::Data::Temporality, form_.temporality == Temporality::Delta ? kDelta : kCumulative);
  if (field == otlp::Metric::Sum) data.add_bool(otlp::Data::IsMonotonic, true);
}

OtlpEncoder::OtlpEncoder(OtlpForm form, const SnapshotStore& store, OtlpCounts& counts)
    : form_(std::move(form)), store_(store), counts_(counts) {}

void OtlpEncoder::begin_round() {
  list_items();
  next_ = request_begin_ = 0;
}

OtlpRequest OtlpEncoder::next_request() {
  request_begin_ = next_;
  OtlpRequest request;
  Writer(*this, request).write();
  return request;
}

// Totals are of all series, also those that are 0; increments only of the series that have any.
void OtlpEncoder::list_items() {
  const bool is_delta = form_.temporality == Temporality::Delta;
  items_.clear();
  for (SeriesIndex series = 0; series < store_.series().size(); ++series) {
    const MetricInfo& info = store_.series().info(series);
    if (is_current_value(info, form_.temporality)) items_.push_back({info.metric, series});
  }
  for (std::uint32_t index = 0; index < counts_.size(); ++index) {
    const MetricInfo& info = *counts_.key(index).info;
    if (!is_current_value(info, form_.temporality) && (!is_delta || !counts_[index].is_empty()))
      items_.push_back({info.metric, index});
  }
  for (std::uint32_t source = 0; source < store_.sources().size(); ++source) {
    for (const metrics::Metric metric : kSourceMetrics) items_.push_back({metric, source});
  }
  std::stable_sort(items_.begin(), items_.end(),
                   [](const OtlpItem& a, const OtlpItem& b) { return a.metric < b.metric; });
}

}  // namespace mdpipe::agent

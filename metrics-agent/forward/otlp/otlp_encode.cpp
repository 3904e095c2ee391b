#include "metrics-agent/forward/otlp/otlp_encode.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "libshared/event/event.hpp"
#include "metrics-agent/forward/exponential_buckets.hpp"
#include "metrics-agent/forward/otlp/otlp_metric.hpp"
#include "metrics-agent/store/merged.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Kind;
using metrics::Metric;
using metrics::MetricInfo;

// Field numbers, message by message.
namespace request_field {
constexpr unsigned kResourceMetrics = 1;
}
namespace resource_metrics_field {
constexpr unsigned kResource = 1, kScopeMetrics = 2;
}
namespace resource_field {
constexpr unsigned kAttributes = 1;
}
namespace scope_metrics_field {
constexpr unsigned kScope = 1, kMetrics = 2;
}
namespace scope_field {
constexpr unsigned kName = 1, kVersion = 2;
}
namespace metric_field {
constexpr unsigned kName = 1, kDescription = 2, kUnit = 3, kGauge = 5, kSum = 7, kHistogram = 9,
                   kExponentialHistogram = 10;
}
namespace data_field {  // of gauge, sum and both histograms
constexpr unsigned kPoints = 1, kTemporality = 2, kIsMonotonic = 3;
}
namespace point_field {  // of every kind of point
constexpr unsigned kStart = 2, kTime = 3;
}
namespace number_field {
constexpr unsigned kDouble = 4, kInteger = 6, kAttributes = 7;
}
namespace histogram_field {
constexpr unsigned kCount = 4, kSum = 5, kBucketCounts = 6, kBounds = 7, kAttributes = 9;
}
namespace exponential_field {
constexpr unsigned kAttributes = 1, kCount = 4, kSum = 5, kScale = 6, kZeroCount = 7, kPositive = 8;
}
namespace buckets_field {
constexpr unsigned kOffset = 1, kCounts = 2;
}
namespace key_value_field {
constexpr unsigned kKey = 1, kValue = 2;
}
constexpr unsigned kAnyValueString = 1;
constexpr unsigned kDelta = 1, kCumulative = 2;  // AggregationTemporality

constexpr double kSecondsPerNano = 1e-9;
constexpr double kSecondsPerMicro = 1e-6;
constexpr std::string_view kScopeName = "mdpipe";

}  // namespace

OtlpEncoder::OtlpEncoder(OtlpForm form, const SnapshotStore& store, OtlpCounts& counts)
    : form_(std::move(form)), store_(store), counts_(counts) {}

void OtlpEncoder::begin_round() {
  list_items();
  next_ = request_begin_ = 0;
}

// Totals are of all series there are, also those that are 0; increments only of those that have any.
void OtlpEncoder::list_items() {
  const bool is_delta = form_.temporality == Temporality::Delta;
  const auto is_current = [is_delta](const MetricInfo& info) {
    return is_gauge_on_wire(info) && (!is_delta || info.kind != Kind::Counter);
  };
  items_.clear();
  for (SeriesIndex series = 0; series < store_.series().size(); ++series) {
    const MetricInfo& info = store_.series().info(series);
    if (is_current(info)) items_.push_back({info.metric, series});
  }
  for (std::uint32_t index = 0; index < counts_.size(); ++index) {
    const MetricInfo& info = *counts_.key(index).info;
    if (!is_current(info) && (!is_delta || !counts_[index].is_empty()))
      items_.push_back({info.metric, index});
  }
  for (std::uint32_t source = 0; source < store_.sources().size(); ++source) {
    for (const Metric metric : kSourceMetrics) items_.push_back({metric, source});
  }
  std::stable_sort(items_.begin(), items_.end(),
                   [](const Item& a, const Item& b) { return a.metric < b.metric; });
}

bool OtlpEncoder::is_full(std::size_t points) const {
  return points >= form_.points_max || writer_.size() >= kOtlpBytesMax;
}

OtlpRequest OtlpEncoder::next_request() {
  OtlpRequest request;
  request_begin_ = next_;
  writer_ = {};
  writer_.message(request_field::kResourceMetrics, [&] {
    writer_.message(resource_metrics_field::kResource, [&] {
      for (const auto& [name, value] : form_.resource)
        write_attribute(resource_field::kAttributes, name, value);
    });
    writer_.message(resource_metrics_field::kScopeMetrics, [&] { write_scope(request.points); });
  });
  request.body = writer_.release();
  return request;
}

void OtlpEncoder::write_scope(std::size_t& points) {
  writer_.message(scope_metrics_field::kScope, [&] {
    writer_.text(scope_field::kName, kScopeName);
    writer_.text(scope_field::kVersion, form_.version);
  });
  while (!is_done() && !is_full(points)) {
    const std::size_t before = writer_.size(), points_before = points;
    writer_.message(scope_metrics_field::kMetrics, [&] { write_metric(points); });
    if (points == points_before) writer_.cut(before);
  }
}

// As many points of the next metric as there are or as there is room for.
void OtlpEncoder::write_metric(std::size_t& points) {
  const MetricInfo& info = metrics::info(items_[next_].metric);
  writer_.text(metric_field::kName, info.name);
  writer_.text(metric_field::kDescription, info.help);
  if (const auto unit = otlp_unit(info); !unit.empty()) writer_.text(metric_field::kUnit, unit);
  unsigned data = metric_field::kGauge;
  if (info.kind == Kind::Counter) data = metric_field::kSum;
  if (info.kind == Kind::Histogram) {
    data = form_.histograms == HistogramForm::Exponential ? metric_field::kExponentialHistogram
                                                          : metric_field::kHistogram;
  }
  writer_.message(data, [&] {
    while (!is_done() && items_[next_].metric == info.metric && !is_full(points))
      points += write_points(items_[next_++]);
    if (data == metric_field::kGauge) return;
    writer_.varint(data_field::kTemporality, form_.temporality == Temporality::Delta ? kDelta : kCumulative);
    if (data == metric_field::kSum) writer_.varint(data_field::kIsMonotonic, 1);
  });
}

std::size_t OtlpEncoder::write_points(const Item& item) {
  const MetricInfo& info = metrics::info(item.metric);
  if (is_source_metric(item.metric)) {
    write_source(item);
    return 1;
  }
  const bool is_delta = form_.temporality == Temporality::Delta;
  if (is_gauge_on_wire(info) && (!is_delta || info.kind != Kind::Counter)) return write_current(item);
  if (is_delta && counts_[item.index].is_empty()) return 0;
  if (info.kind == Kind::Histogram) {
    write_histogram(item.index);
  } else {
    write_sum(item);
  }
  if (is_delta) counts_.send(item.index);
  return 1;
}

void OtlpEncoder::write_sum(const Item& item) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  const std::uint64_t count = counts_[item.index].count;
  writer_.message(data_field::kPoints, [&] {
    write_attributes(number_field::kAttributes, counts_.key(item.index));
    write_times(counts_.since(item.index));
    if (item.metric == Metric::ProcessCpuSeconds) {
      writer_.number(number_field::kDouble, static_cast<double>(count) * kSecondsPerMicro);
    } else {
      writer_.fixed64(number_field::kInteger, std::min(count, kMax));
    }
  });
}

void OtlpEncoder::write_histogram(std::uint32_t index) {
  static const HistogramSum kNothing;
  const HistogramSum& histogram = counts_[index].histogram ? *counts_[index].histogram : kNothing;
  const bool is_exponential = form_.histograms == HistogramForm::Exponential;
  writer_.message(data_field::kPoints, [&] {
    write_attributes(is_exponential ? exponential_field::kAttributes : histogram_field::kAttributes,
                     counts_.key(index));
    write_times(counts_.since(index));
    if (is_exponential) {
      write_exponential(histogram);
    } else {
      write_explicit(histogram);
    }
  });
}

// The count is told as the sum of the buckets: receivers refuse a point in which they differ.
void OtlpEncoder::write_exponential(const HistogramSum& histogram) {
  const ExponentialBuckets buckets = exponential_buckets(histogram.buckets);
  const auto count = std::accumulate(buckets.counts.begin(), buckets.counts.end(), buckets.zeros);
  writer_.fixed64(exponential_field::kCount, count);
  writer_.number(exponential_field::kSum, histogram.sum_ns * kSecondsPerNano);
  writer_.signed_varint(exponential_field::kScale, buckets.scale);
  writer_.fixed64(exponential_field::kZeroCount, buckets.zeros);
  writer_.message(exponential_field::kPositive, [&] {
    writer_.signed_varint(buckets_field::kOffset, buckets.offset);
    writer_.message(buckets_field::kCounts, [&] {
      for (const std::uint64_t one : buckets.counts) writer_.raw_varint(one);
    });
  });
}

void OtlpEncoder::write_explicit(const HistogramSum& histogram) {
  const auto bounded = std::accumulate(histogram.bounds.begin(), histogram.bounds.end(), std::uint64_t{0});
  const std::uint64_t count = std::max(histogram.count, bounded);
  writer_.fixed64(histogram_field::kCount, count);
  writer_.number(histogram_field::kSum, histogram.sum_ns * kSecondsPerNano);
  writer_.message(histogram_field::kBucketCounts, [&] {
    for (const std::uint64_t one : histogram.bounds) writer_.raw_fixed64(one);
    writer_.raw_fixed64(count - bounded);
  });
  writer_.message(histogram_field::kBounds, [&] {
    for (const double bound : metrics::kLatencyBounds) writer_.raw_number(bound);
  });
}

// Gauges, and processor time as a total. Returns the number of points: a gauge that nobody sets has none, the
// state of a feed one for each state as on /metrics, 1 for the one it is in.
std::size_t OtlpEncoder::write_current(const Item& item) {
  const metrics::SeriesKey key = store_.series()[item.index];
  const std::optional<double> value = merge(store_, item.index).number;
  if (!value) return 0;
  if (key.info->kind == Kind::Counter) {
    write_processor_time(key, item.index, *value);
    return 1;
  }
  const auto write = [&](double number, std::string_view state) {
    writer_.message(data_field::kPoints, [&] {
      write_attributes(number_field::kAttributes, key);
      if (!state.empty()) write_attribute(number_field::kAttributes, "state", state);
      writer_.fixed64(point_field::kTime, static_cast<std::uint64_t>(counts_.end().count));
      writer_.number(number_field::kDouble, number);
    });
  };
  if (key.info->kind != Kind::StateSet) {
    write(*value, {});
    return 1;
  }
  for (const FeedState state : kFeedStates)
    write(*value == static_cast<double>(state) ? 1 : 0, to_string(state));
  return std::size(kFeedStates);
}

// It begins anew with each life of its process.
void OtlpEncoder::write_processor_time(const metrics::SeriesKey& key, SeriesIndex series, double seconds) {
  const Cell& cell = store_.cells()[store_.first_cell(series)];  // one source: its labels name it
  const auto started = static_cast<std::int64_t>(store_.sources()[cell.source].epoch);
  writer_.message(data_field::kPoints, [&] {
    write_attributes(number_field::kAttributes, key);
    write_times({std::min(started, counts_.end().count)});
    writer_.number(number_field::kDouble, seconds);
  });
}

void OtlpEncoder::write_source(const Item& item) {
  const Source& source = store_.sources()[item.index];
  writer_.message(data_field::kPoints, [&] {
    write_attributes(number_field::kAttributes,
                     {&metrics::info(item.metric), {source.component, source.name}});
    writer_.fixed64(point_field::kTime, static_cast<std::uint64_t>(counts_.end().count));
    writer_.number(number_field::kDouble, source_value(source, item.metric));
  });
}

void OtlpEncoder::write_attributes(unsigned field, const metrics::SeriesKey& key) {
  for (std::size_t i = 0; i < key.labels.size(); ++i)
    write_attribute(field, key.info->labels[i], key.labels[i]);
}

void OtlpEncoder::write_attribute(unsigned field, std::string_view name, std::string_view value) {
  writer_.message(field, [&] {
    writer_.text(key_value_field::kKey, name);
    writer_.message(key_value_field::kValue, [&] { writer_.text(kAnyValueString, value); });
  });
}

void OtlpEncoder::write_times(UnixNanos since) {
  writer_.fixed64(point_field::kStart, static_cast<std::uint64_t>(since.count));
  writer_.fixed64(point_field::kTime, static_cast<std::uint64_t>(counts_.end().count));
}

}  // namespace mdpipe::agent

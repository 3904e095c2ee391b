#include "metrics-agent/forward/otlp/otlp_points.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <numeric>

#include "libshared/event/event.hpp"
#include "metrics-agent/forward/exponential_buckets.hpp"
#include "metrics-agent/store/merged.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Kind;
using metrics::Metric;
using metrics::MetricInfo;

constexpr double kSecondsPerNano = 1e-9;
constexpr double kSecondsPerMicro = 1e-6;

template <typename Point>
void add_labels(OtlpMessage<Point>& point, const metrics::SeriesKey& key) {
  for (std::size_t i = 0; i < key.labels.size(); ++i)
    add_attribute(point, Point::Attributes, key.info->labels[i], key.labels[i]);
}

const HistogramSum& histogram_of(const Undelivered::Entry& entry) {
  static const HistogramSum kNothing;
  return entry.histogram ? *entry.histogram : kNothing;
}

}  // namespace

bool is_current_value(const MetricInfo& info, Temporality temporality) {
  return is_gauge_on_wire(info) && (temporality == Temporality::Cumulative || info.kind != Kind::Counter);
}

std::size_t OtlpPoints::write(Data& data, const OtlpItem& item) {
  const MetricInfo& info = metrics::info(item.metric);
  if (is_source_metric(item.metric)) {
    write_source(data, item);
    return 1;
  }
  if (is_current_value(info, form_.temporality)) return write_current(data, item);
  const bool is_delta = form_.temporality == Temporality::Delta;
  if (is_delta && counts_[item.index].is_empty()) return 0;
  if (info.kind != Kind::Histogram) {
    write_sum(data, item);
  } else if (form_.histograms == HistogramForm::Exponential) {
    write_exponential(data, item.index);
  } else {
    write_explicit(data, item.index);
  }
  if (is_delta) counts_.set_aside(item.index);
  return 1;
}

void OtlpPoints::write_sum(Data& data, const OtlpItem& item) const {
  using Field = otlp::NumberPoint;
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  const std::uint64_t count = counts_[item.index].count;
  OtlpMessage<Field> point(data, otlp::Data::Points);
  add_labels(point, counts_.key(item.index));
  add_times(point, counts_.since(item.index));
  if (item.metric == Metric::ProcessCpuSeconds) {
    point.add_double(Field::Double, static_cast<double>(count) * kSecondsPerMicro);
  } else {
    point.add_sfixed64(Field::Integer, static_cast<std::int64_t>(std::min(count, kMax)));
  }
}

// The count is the sum of the buckets: receivers refuse a point in which the two differ.
void OtlpPoints::write_exponential(Data& data, std::uint32_t index) const {
  using Field = otlp::ExponentialPoint;
  const HistogramSum& histogram = histogram_of(counts_[index]);
  const ExponentialBuckets buckets = exponential_buckets(histogram.buckets);
  const auto count = std::accumulate(buckets.counts.begin(), buckets.counts.end(), buckets.zeros);
  OtlpMessage<Field> point(data, otlp::Data::Points);
  add_labels(point, counts_.key(index));
  add_times(point, counts_.since(index));
  point.add_fixed64(Field::Count, count);
  point.add_double(Field::Sum, histogram.sum_ns * kSecondsPerNano);
  point.add_sint32(Field::Scale, buckets.scale);
  point.add_fixed64(Field::ZeroCount, buckets.zeros);
  OtlpMessage<otlp::Buckets> positive(point, Field::Positive);
  positive.add_sint32(otlp::Buckets::Offset, buckets.offset);
  positive.add_packed_uint64(otlp::Buckets::Counts, buckets.counts.begin(), buckets.counts.end());
}

void OtlpPoints::write_explicit(Data& data, std::uint32_t index) const {
  using Field = otlp::HistogramPoint;
  const HistogramSum& histogram = histogram_of(counts_[index]);
  const auto bounded = std::accumulate(histogram.bounds.begin(), histogram.bounds.end(), std::uint64_t{0});
  const std::uint64_t count = std::max(histogram.count, bounded);
  std::array<std::uint64_t, metrics::kLatencyBounds.size() + 1> buckets{};
  std::copy(histogram.bounds.begin(), histogram.bounds.end(), buckets.begin());
  buckets.back() = count - bounded;  // beyond the last bound
  OtlpMessage<Field> point(data, otlp::Data::Points);
  add_labels(point, counts_.key(index));
  add_times(point, counts_.since(index));
  point.add_fixed64(Field::Count, count);
  point.add_double(Field::Sum, histogram.sum_ns * kSecondsPerNano);
  point.add_packed_fixed64(Field::BucketCounts, buckets.begin(), buckets.end());
  point.add_packed_double(Field::Bounds, metrics::kLatencyBounds.begin(), metrics::kLatencyBounds.end());
}

std::size_t OtlpPoints::write_current(Data& data, const OtlpItem& item) const {
  const metrics::SeriesKey key = store_.series()[item.index];
  const std::optional<double> value = merge(store_, item.index).number;
  if (!value) return 0;
  if (key.info->kind == Kind::Counter) {
    write_processor_time(data, item.index, *value);
    return 1;
  }
  if (key.info->kind != Kind::StateSet) {
    write_gauge(data, key, *value, {});
    return 1;
  }
  for (const FeedState state : kFeedStates)
    write_gauge(data, key, *value == static_cast<double>(state) ? 1 : 0, to_string(state));
  return std::size(kFeedStates);
}

void OtlpPoints::write_gauge(Data& data, const metrics::SeriesKey& key, double number,
                             std::string_view state) const {
  using Field = otlp::NumberPoint;
  OtlpMessage<Field> point(data, otlp::Data::Points);
  add_labels(point, key);
  if (!state.empty()) add_attribute(point, Field::Attributes, "state", state);
  point.add_fixed64(Field::Time, static_cast<std::uint64_t>(counts_.end().count));
  point.add_double(Field::Double, number);
}

// A total that begins with the start of its process.
void OtlpPoints::write_processor_time(Data& data, SeriesIndex series, double seconds) const {
  const Cell& cell = store_.cells()[store_.first_cell(series)];  // one source: its labels name it
  const auto started = static_cast<std::int64_t>(store_.sources()[cell.source].epoch);
  OtlpMessage<otlp::NumberPoint> point(data, otlp::Data::Points);
  add_labels(point, store_.series()[series]);
  add_times(point, {std::min(started, counts_.end().count)});
  point.add_double(otlp::NumberPoint::Double, seconds);
}

void OtlpPoints::write_source(Data& data, const OtlpItem& item) const {
  const Source& source = store_.sources()[item.index];
  write_gauge(data, {&metrics::info(item.metric), {source.component, source.name}},
              source_value(source, item.metric), {});
}

template <typename Point>
void OtlpPoints::add_times(OtlpMessage<Point>& point, UnixNanos since) const {
  point.add_fixed64(Point::StartTime, static_cast<std::uint64_t>(since.count));
  point.add_fixed64(Point::Time, static_cast<std::uint64_t>(counts_.end().count));
}

}  // namespace mdpipe::agent

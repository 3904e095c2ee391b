#include "libshared/metrics/collector.hpp"

#include <algorithm>
#include <cassert>

#include "libshared/time/time.hpp"

namespace mdpipe::metrics {
namespace {

std::uint64_t new_epoch() { return static_cast<std::uint64_t>(wall_now().count); }

// Counters that are fractions of a second travel as gauges do.
bool is_fractional(Metric metric) {
  return info(metric).kind == Kind::Gauge || info(metric).kind == Kind::StateSet ||
         metric == Metric::ProcessCpuSeconds;
}

HistogramTotals totals_of(std::uint64_t count, double sum_ns, const std::uint64_t* bounds,
                          const std::uint64_t* buckets) {
  HistogramTotals totals{count, sum_ns, {bounds, bounds + kLatencyBounds.size()}, {}};
  for (std::size_t i = 0; i < kQuantileBuckets; ++i) {
    if (buckets[i] > 0) totals.buckets.emplace_back(static_cast<std::uint32_t>(i), buckets[i]);
  }
  return totals;
}

}  // namespace

MetricsCollector::MetricsCollector(CollectorOptions options)
    : options_(std::move(options)), epoch_(new_epoch()) {
  series_count_ = series(Metric::MetricSeries, {options_.component});
  series_dropped_ = series(Metric::MetricSeriesDropped, {options_.component});
  for (const std::string_view type : error_type::kAll) series(Metric::Errors, {options_.component, type});
}

void MetricsCollector::increment_received(std::string_view channel, std::string_view symbol) {
  add(series(Metric::MessagesReceived, {options_.exchange, channel, symbol}));
}

void MetricsCollector::increment_published(std::string_view stream, std::string_view symbol) {
  add(series(Metric::MessagesPublished, {options_.exchange, stream, symbol}));
}

void MetricsCollector::increment_error(std::string_view type) {
  add(series(Metric::Errors, {options_.component, type}));
}

void MetricsCollector::increment_reconnect() { add(series(Metric::Reconnects, {options_.exchange})); }

Series MetricsCollector::series(Metric metric, std::initializer_list<std::string_view> labels) {
  assert(labels.size() == info(metric).label_count());
  if (!options_.enabled) return Series();
  std::string key(info(metric).name);
  for (const std::string_view label : labels) {
    key += '\0';
    key += label;
  }
  if (const auto found = ids_.find(key); found != ids_.end()) return Series(found->second);
  if (slots_.size() >= options_.series_max) {
    add(series_dropped_);
    return Series();
  }
  const auto id = static_cast<SeriesId>(slots_.size());
  Slot& slot = slots_.emplace_back();
  slot.metric = metric;
  slot.labels.assign(labels.begin(), labels.end());
  if (info(metric).kind == Kind::Histogram) slot.histogram = std::make_unique<Histogram>();
  ids_.emplace(std::move(key), id);
  set(series_count_, static_cast<double>(slots_.size()));
  return Series(id);
}

void MetricsCollector::observe(Series series, std::chrono::nanoseconds duration) {
  if (series.id_ == Series::kNone) return;
  Histogram& histogram = *slots_[series.id_].histogram;
  const auto nanos = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
  const double seconds = static_cast<double>(nanos) * 1e-9;
  ++histogram.count;
  histogram.sum_ns += static_cast<double>(nanos);
  ++histogram.buckets[quantile_bucket(nanos)];
  for (std::size_t i = 0; i < kLatencyBounds.size(); ++i) {
    if (seconds <= kLatencyBounds[i]) {
      ++histogram.bounds[i];
      break;
    }
  }
}

void MetricsCollector::snapshot(bool full, Delta& out) {
  out.component = options_.component;
  out.source = options_.source;
  out.epoch = epoch_;
  out.n = ++message_count_;
  out.time_ns = wall_now().count;
  out.full = full;
  out.last = false;
  out.series.clear();
  out.counters.clear();
  out.gauges.clear();
  out.histograms.clear();
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const auto id = static_cast<SeriesId>(i);
    Slot& slot = slots_[i];
    if (full || !slot.named) {
      out.series.push_back({id, std::string(info(slot.metric).name), slot.labels});
      put_values(slot, id, true, out);
      slot.named = true;
    } else {
      put_values(slot, id, false, out);
    }
  }
}

void MetricsCollector::put_values(Slot& slot, SeriesId id, bool full, Delta& out) {
  if (slot.histogram) {
    const Histogram& histogram = *slot.histogram;
    if (full || histogram.count != slot.sent_total) {
      out.histograms.emplace_back(id, totals_of(histogram.count, histogram.sum_ns, histogram.bounds.data(),
                                                histogram.buckets.data()));
    }
    slot.sent_total = histogram.count;
  } else if (is_fractional(slot.metric)) {
    if (full || slot.gauge != slot.sent_gauge) out.gauges.emplace_back(id, slot.gauge);
    slot.sent_gauge = slot.gauge;
  } else {
    if (full || slot.total != slot.sent_total) out.counters.emplace_back(id, slot.total);
    slot.sent_total = slot.total;
  }
}

void MetricsCollector::reset() {
  epoch_ = new_epoch();
  message_count_ = 0;
  for (Slot& slot : slots_) {
    slot.total = 0;
    slot.gauge = 0;
    slot.sent_total = ~std::uint64_t{0};
    slot.named = false;
    if (slot.histogram) *slot.histogram = Histogram{};
  }
  set(series_count_, static_cast<double>(slots_.size()));
}

}  // namespace mdpipe::metrics

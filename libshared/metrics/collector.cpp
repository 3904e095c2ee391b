#include "libshared/metrics/collector.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "libshared/log/log.hpp"
#include "libshared/process/boot_id.hpp"
#include "libshared/time/time.hpp"

namespace mdpipe::metrics {
namespace {

// A message repeats the changes of this many messages before it. So a lost message costs nothing, even if
// nothing changes afterwards. Names are longer, and full messages repeat them too.
constexpr std::uint32_t kValueRepeats = 10;
constexpr std::uint32_t kNameRepeats = 3;
// ws-reader has one for each kind of event, md-publisher one for each exchange and stream.
constexpr std::size_t kPersistentHistogramsMax = 64;

std::uint64_t new_epoch() { return static_cast<std::uint64_t>(wall_now().count); }

// Counters with fractions of a second are sent like gauges.
bool is_fractional(Metric metric) {
  return info(metric).kind == Kind::Gauge || info(metric).kind == Kind::StateSet ||
         metric == Metric::ProcessCpuSeconds;
}

bool is_counter(Metric metric) { return info(metric).kind == Kind::Counter && !is_fractional(metric); }

constexpr std::uint32_t kMessagesMax = (1U << 30U) - 1;  // what Slot::name_n holds

constexpr std::uint64_t kNotSent = ~std::uint64_t{0};

std::uint64_t bits_of(double value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

}  // namespace

MetricsCollector::MetricsCollector(CollectorOptions options)
    : options_(std::move(options)), epoch_(new_epoch()), origin_(epoch_) {
  if (options_.enabled && !options_.counter_file.empty()) open_counter_file();
  series_count_ = series(Metric::MetricSeries, {options_.component});
  series_dropped_ = series(Metric::MetricSeriesDropped, {options_.component});
  for (const std::string_view type : error_type::kAll) series(Metric::Errors, {options_.component, type});
}

// What earlier runs counted is still reported, also if nothing counts in it now.
void MetricsCollector::open_counter_file() {
  auto file =
      CounterFile::open({options_.counter_file, options_.component, options_.source, options_.series_max,
                         options_.pending_max, process::read_boot_id(), kPersistentHistogramsMax},
                        epoch_);
  if (!file) {
    log::warn("counts are kept in memory only; those of the last second are lost in a crash",
              {{"why", file.error().message}});
    return;
  }
  file_.emplace(std::move(file.value()));
  origin_ = file_->origin();
  pending_ = PendingCounts(file_->pending_region());
  for (const CounterFile::Counter& counter : file_->take_recovered()) {
    const MetricInfo* known = find_metric(counter.name);
    const bool fits =
        known != nullptr && known->label_count() == counter.labels.size() &&
        (counter.histogram != nullptr ? known->kind == Kind::Histogram : is_counter(known->metric));
    if (fits) intern(known->metric, counter.labels, {counter.total, counter.histogram});
  }
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
  if (const auto found = series_.find(metric, labels)) return Series(*found, slots_[*found].total_or_null());
  if (slots_.size() >= options_.series_max) {
    add(series_dropped_);
    return Series();
  }
  return intern(metric, labels, make_storage(metric, labels));
}

// In the file, if there is one and it has room.
MetricsCollector::Storage MetricsCollector::make_storage(Metric metric,
                                                         std::initializer_list<std::string_view> labels) {
  Storage storage;
  if (is_counter(metric)) {
    if (file_) storage.total = file_->add(info(metric).name, labels);
    if (storage.total == nullptr) storage.total = &plain_totals_.emplace_back(0);
  } else if (info(metric).kind == Kind::Histogram) {
    if (file_) storage.histogram = file_->add_histogram(info(metric).name, labels);
    if (storage.histogram == nullptr) storage.histogram = &plain_histograms_.emplace_back();
  }
  return storage;
}

Series MetricsCollector::intern(Metric metric, const LabelValues& labels, Storage storage) {
  const SeriesId id = series_.find_or_add(metric, labels);
  assert(id == slots_.size());
  Slot& slot = slots_.emplace_back();
  if (storage.total != nullptr) {
    slot.kind = SlotKind::Total;
    slot.total = storage.total;
  } else if (storage.histogram != nullptr) {
    slot.kind = SlotKind::Histogram;
    slot.histogram = storage.histogram;
  }
  if (slot.kind != SlotKind::Gauge) slot.sent = kNotSent;
  set(series_count_, static_cast<double>(slots_.size()));
  return Series(id, storage.total);
}

void MetricsCollector::observe(Series series, std::chrono::nanoseconds duration) {
  if (series.id_ == Series::kNone) return;
  slots_[series.id_].histogram->observe(
      static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0)));
}

void MetricsCollector::snapshot(bool full, Delta& out) {
  out.component = options_.component;
  out.source = options_.source;
  out.epoch = epoch_;
  out.origin = origin_;
  out.n = ++message_count_;
  out.time_ns = wall_now().count;
  out.full = full;
  out.last = false;
  out.series.refer_to(series_);
  out.counters.clear();
  out.gauges.clear();
  out.histograms.clear();
  if (full) {
    out.series.reserve(slots_.size());
    const auto gauges = static_cast<std::size_t>(std::count_if(
        slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.kind == SlotKind::Gauge; }));
    out.counters.reserve(slots_.size() - gauges);
    out.gauges.reserve(gauges);
  }
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const auto id = static_cast<SeriesId>(i);
    Slot& slot = slots_[i];
    if (slot.name_n == 0) slot.name_n = message_count_ & kMessagesMax;
    const bool name = full || message_count_ - slot.name_n < kNameRepeats;
    if (name) out.series.push_back(id, id);
    put_values(slot, id, name, out);
  }
}

void MetricsCollector::put_values(Slot& slot, SeriesId id, bool full, Delta& out) {
  const std::uint64_t value = value_of(slot);
  if (std::exchange(slot.sent, value) != value) slot.value_n = message_count_;
  if (!full && message_count_ - slot.value_n >= kValueRepeats) return;
  switch (slot.kind) {
    case SlotKind::Gauge:
      out.gauges.emplace_back(id, slot.gauge);
      break;
    case SlotKind::Total:
      out.counters.emplace_back(id, value);
      break;
    case SlotKind::Histogram:
      out.histograms.emplace_back(id, slot.histogram->totals());
      break;
  }
}

std::uint64_t MetricsCollector::value_of(const Slot& slot) {
  switch (slot.kind) {
    case SlotKind::Gauge:
      return bits_of(slot.gauge);
    case SlotKind::Total:
      return *slot.total;
    case SlotKind::Histogram:
      return slot.histogram->count();
  }
  return kNotSent;
}

void MetricsCollector::for_each_total(
    Metric metric, const std::function<void(const LabelValues&, std::uint64_t)>& on_total) const {
  for (SeriesId id = 0; id < slots_.size(); ++id) {
    const Slot& slot = slots_[id];
    if (slot.kind == SlotKind::Total && series_.info(id).metric == metric)
      on_total(series_[id].labels, *slot.total);
  }
}

void MetricsCollector::reset() {
  epoch_ = new_epoch();
  origin_ = epoch_;
  message_count_ = 0;
  pending_.discard();
  if (file_) file_->restart(origin_);
  for (Slot& slot : slots_) {
    slot.sent = slot.kind == SlotKind::Gauge ? 0 : kNotSent;
    slot.value_n = slot.name_n = 0;
    if (slot.kind == SlotKind::Gauge) slot.gauge = 0;
    if (slot.kind == SlotKind::Total) *slot.total = 0;
    if (slot.kind == SlotKind::Histogram) *slot.histogram = PersistentHistogram();
  }
  set(series_count_, static_cast<double>(slots_.size()));
}

}  // namespace mdpipe::metrics

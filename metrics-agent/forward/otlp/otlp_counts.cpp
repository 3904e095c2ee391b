#include "metrics-agent/forward/otlp/otlp_counts.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

namespace mdpipe::agent {
namespace {

constexpr std::int64_t kNanosPerMilli = 1'000'000;
constexpr std::int64_t kUnset = -1;
constexpr std::uint32_t kNotEntered = ~std::uint32_t{0};
constexpr double kMicros = 1e6;

std::int64_t to_ms(std::int64_t nanos) { return nanos / kNanosPerMilli; }
UnixNanos to_unix_nanos(std::int64_t ms) { return {ms * kNanosPerMilli}; }

bool is_processor_time(const metrics::MetricInfo& info) {
  return info.metric == metrics::Metric::ProcessCpuSeconds;
}

bool is_counted(const metrics::MetricInfo& info) {
  return info.kind == metrics::Kind::Histogram || info.kind == metrics::Kind::Counter;
}

// Whether the window contains everything that the cell ever counted.
bool is_whole(const Cell& cell, CellIndex index, const Window& window) {
  if (!cell.histogram) return window.counts[index] == cell.total();
  const std::uint64_t total = cell.histogram->ended.count + cell.histogram->current.count;
  const auto found = std::find_if(window.histograms.begin(), window.histograms.end(),
                                  [index](const auto& one) { return one.first == index; });
  return total == (found == window.histograms.end() ? 0 : found->second.count);
}

}  // namespace

UnixNanos OtlpCounts::since(std::size_t index) const {
  return to_unix_nanos(std::max<std::int64_t>(since_[index], 0));
}
UnixNanos OtlpCounts::end() const { return to_unix_nanos(end_.value_or(0)); }

void OtlpCounts::add(const SnapshotStore& store, const Window& window, UnixNanos now) {
  const std::int64_t begin = end_.value_or(to_ms(now.count - window.span.count()));
  const std::int64_t end = std::max(to_ms(now.count), begin + 1);  // also if the clock was set back
  enter_series(store, window, {begin, end});
  counts_.add(store, window);
  if (temporality_ == Temporality::Delta) add_processor_time(store);
  end_ = end;
}

void OtlpCounts::enter_series(const SnapshotStore& store, const Window& window, Span span) {
  for (auto series = static_cast<SeriesIndex>(by_store_.size()); series < store.series().size(); ++series) {
    by_store_.push_back(kNotEntered);
    const metrics::MetricInfo& info = store.series().info(series);
    if (!is_counted(info) || (is_processor_time(info) && temporality_ == Temporality::Cumulative)) continue;
    const std::size_t index = counts_.find_or_add(info.metric, store.series()[series].labels);
    if (index >= since_.size()) since_.resize(index + 1, kUnset);
    if (since_[index] == kUnset) since_[index] = begin_of(store, window, series, span);
    by_store_[series] = static_cast<std::uint32_t>(index);
  }
}

// When counting began for a new series: with the window; or, if the window contains all that the source has
// ever counted, when the source started. Increments begin where the last window ended, because the previous
// run of the agent may have sent earlier ones.
std::int64_t OtlpCounts::begin_of(const SnapshotStore& store, const Window& window, SeriesIndex series,
                                  Span span) const {
  if (temporality_ == Temporality::Delta && end_) return span.begin;
  std::int64_t earliest = span.end;
  for (CellIndex index = store.first_cell(series); index != kNoCell; index = store.cells()[index].next) {
    const Cell& cell = store.cells()[index];
    const auto origin = to_ms(static_cast<std::int64_t>(store.sources()[cell.source].first_origin));
    earliest = std::min(earliest, is_whole(cell, index, window) ? origin : span.begin);
  }
  return earliest < span.end ? earliest : span.begin;
}

// Processor time is sent like a gauge, so it is in no window. Time that a process used before this run of the
// agent is not sent again.
void OtlpCounts::add_processor_time(const SnapshotStore& store) {
  processor_.resize(store.cells().size());
  for (CellIndex index = 0; index < store.cells().size(); ++index) {
    const Cell& cell = store.cells()[index];
    if (!is_processor_time(store.info(cell)) || cell.gauge_stamp == 0) continue;
    const Source& source = store.sources()[cell.source];
    const auto micros = static_cast<std::uint64_t>(std::llround(std::max(cell.gauge, 0.0) * kMicros));
    Processor& before = processor_[index];
    const bool was_sent = !before.is_known && end_ && to_ms(static_cast<std::int64_t>(source.epoch)) < *end_;
    if (was_sent) before.micros = micros;
    if (before.is_known && before.epoch != source.epoch) before.micros = 0;
    Undelivered::Entry more;
    more.count = micros > before.micros ? micros - before.micros : 0;
    counts_.add(by_store_[cell.series], more);
    before = {true, source.epoch, std::max(micros, before.micros)};
  }
}

void OtlpCounts::set_aside(std::size_t index) {
  in_request_.push_back({index, since_[index], counts_.exchange(index)});
  since_[index] = *end_;
}

void OtlpCounts::put_back() {
  for (const InRequest& one : in_request_) {
    counts_.add(one.index, one.entry);
    since_[one.index] = one.since;
  }
  in_request_.clear();
}

// Counters and histograms as in Undelivered, and as gauges the time at which counting began for each series,
// also for those without a count. Series that are set aside appear twice; reading adds them up.
metrics::Delta OtlpCounts::state(std::string_view destination) const {
  metrics::Delta out = counts_.state(destination, end());
  out.origin = static_cast<std::uint64_t>(end_.value_or(0));
  out.n = static_cast<std::uint64_t>(temporality_);
  for (std::size_t i = 0; i < since_.size(); ++i) {
    if (since_[i] == kUnset) continue;
    const auto id = static_cast<metrics::SeriesId>(i);
    if (counts_[i].is_empty()) out.series.push_back({id, key(id).info->name, key(id).labels});
    out.gauges.emplace_back(id, static_cast<double>(since_[i]));
  }
  for (const InRequest& one : in_request_) {
    const auto id = static_cast<metrics::SeriesId>(one.index);
    out.gauges.emplace_back(id, static_cast<double>(one.since));
    if (one.entry.histogram) {
      out.histograms.emplace_back(id, one.entry.histogram->totals());
    } else {
      out.counters.emplace_back(id, one.entry.count);
    }
  }
  return out;
}

void OtlpCounts::restore(const metrics::Delta& state) {
  if (state.origin != 0) end_ = static_cast<std::int64_t>(state.origin);
  const bool are_totals = state.n == static_cast<std::uint64_t>(Temporality::Cumulative);
  if (are_totals && temporality_ == Temporality::Delta) return;
  counts_.restore(state);
  since_.resize(counts_.size(), kUnset);
  std::unordered_map<metrics::SeriesId, std::size_t> by_id;
  for (const metrics::SeriesDefinition definition : state.series) {
    const metrics::MetricInfo* info = metrics::find_metric(definition.name);
    if (info == nullptr || definition.labels.size() != info->label_count()) continue;
    by_id.emplace(definition.id, counts_.find_or_add(info->metric, definition.labels));
  }
  for (const auto& [id, ms] : state.gauges) {
    const auto found = by_id.find(id);
    if (found == by_id.end()) continue;
    std::int64_t& since = since_[found->second];
    const auto began = static_cast<std::int64_t>(ms);
    since = since == kUnset ? began : std::min(since, began);
  }
}

}  // namespace mdpipe::agent

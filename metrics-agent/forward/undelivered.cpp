#include "metrics-agent/forward/undelivered.hpp"

#include <algorithm>
#include <unordered_map>

namespace mdpipe::agent {
namespace {

constexpr std::uint32_t kUnknown = ~std::uint32_t{0};

void add_histogram(const HistogramSum& from, Undelivered::Entry& to) {
  if (!to.histogram) {
    to.histogram = std::make_unique<HistogramSum>(from);
  } else {
    to.histogram->add(from);
  }
}

}  // namespace

std::size_t Undelivered::find_or_add(metrics::Metric metric, const metrics::LabelValues& labels) {
  const std::uint32_t index = series_.find_or_add(metric, labels);
  if (index >= entries_.size()) entries_.resize(index + 1);
  return index;
}

void Undelivered::add(std::size_t index, const Entry& more) {
  entries_[index].count += more.count;
  if (more.histogram) add_histogram(*more.histogram, entries_[index]);
}

void Undelivered::add(const SnapshotStore& store, const Window& window) {
  from_store_.resize(store.series().size(), kUnknown);
  const auto entry_of = [&](const Cell& cell) -> Entry& {
    std::uint32_t& known = from_store_[cell.series];
    if (known == kUnknown) {
      const SeriesKey key = store.key(cell);
      known = static_cast<std::uint32_t>(find_or_add(key.info->metric, key.labels));
    }
    return entries_[known];
  };
  for (std::size_t i = 0; i < window.counts.size(); ++i) {
    const Cell& cell = store.cells()[i];
    if (window.counts[i] > 0) entry_of(cell).count += window.counts[i];
  }
  for (const auto& [index, histogram] : window.histograms)
    add_histogram(histogram, entry_of(store.cells()[index]));
}

void Undelivered::deliver(const Part& part) {
  Entry& entry = entries_[part.index];
  if (!entry.histogram) {
    entry.count -= std::min(part.count, entry.count);
    return;
  }
  HistogramSum& histogram = *entry.histogram;
  const std::uint64_t taken = std::min(part.count, histogram.buckets[part.bucket]);
  histogram.buckets[part.bucket] -= taken;
  histogram.count -= taken;
  histogram.sum_ns = 0;
  histogram.bounds = {};
  if (histogram.count == 0) entry.histogram.reset();
}

void Undelivered::put_back(const Part& part) {
  Entry& entry = entries_[part.index];
  if (series_.info(part.index).kind != metrics::Kind::Histogram) {
    entry.count += part.count;
    return;
  }
  if (!entry.histogram) entry.histogram = std::make_unique<HistogramSum>();
  entry.histogram->buckets[part.bucket] += part.count;
  entry.histogram->count += part.count;
}

metrics::Delta Undelivered::state(std::string_view destination, UnixNanos now) const {
  metrics::Delta out;
  out.component = kDestinationComponent;
  out.source = destination;
  out.time_ns = now.count;
  out.full = true;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].is_empty()) continue;
    const auto id = static_cast<metrics::SeriesId>(i);
    const SeriesKey series = key(i);
    out.series.push_back({id, series.info->name, series.labels});
    if (entries_[i].histogram) {
      out.histograms.emplace_back(id, entries_[i].histogram->totals());
    } else {
      out.counters.emplace_back(id, entries_[i].count);
    }
  }
  return out;
}

void Undelivered::restore(const metrics::Delta& state) {
  std::unordered_map<metrics::SeriesId, std::uint32_t> by_id;
  for (const auto& definition : state.series) {
    const metrics::MetricInfo* info = metrics::find_metric(definition.name);
    if (info == nullptr || definition.labels.size() != info->label_count()) continue;
    by_id.emplace(definition.id, static_cast<std::uint32_t>(find_or_add(info->metric, definition.labels)));
  }
  for (const auto& [id, count] : state.counters) {
    if (const auto found = by_id.find(id); found != by_id.end()) entries_[found->second].count += count;
  }
  for (const auto& [id, totals] : state.histograms) {
    if (const auto found = by_id.find(id); found != by_id.end() && adds_up(totals))
      add_histogram(HistogramSum::from(totals), entries_[found->second]);
  }
}

}  // namespace mdpipe::agent

#include "libshared/metrics/series_table.hpp"

#include <limits>

namespace mdpipe::metrics {
namespace {

constexpr std::uint32_t kFree = ~std::uint32_t{0};
constexpr std::uint32_t kNoLabel = ~std::uint32_t{0};
constexpr std::size_t kFirstSlots = 64;  // a power of two, like every later size

template <typename Labels>
std::size_t hash_of(Metric metric, const Labels& labels) {
  constexpr std::uint64_t kOddFactor =
      0x9e3779b97f4a7c15;  // of the golden ratio: spreads numbers that are close together
  auto hash = static_cast<std::uint64_t>(metric);
  for (const std::uint32_t label : labels) hash = (hash ^ label) * kOddFactor;
  return static_cast<std::size_t>(hash ^ (hash >> 32U));
}

}  // namespace

SeriesTable::SeriesTable() : values_(std::numeric_limits<std::uint32_t>::max()), slots_(kFirstSlots, kFree) {}

std::size_t SeriesTable::probe(const std::vector<std::uint32_t>& slots, const Key& key) const {
  std::size_t at = hash_of(key.metric, key.labels) & (slots.size() - 1);
  while (slots[at] != kFree &&
         (keys_[slots[at]].metric != key.metric || keys_[slots[at]].labels != key.labels)) {
    at = (at + 1) & (slots.size() - 1);
  }
  return at;
}

std::optional<std::uint32_t> SeriesTable::find(Metric metric, const LabelValues& labels) const {
  Key key{metric, {}};
  key.labels.fill(kNoLabel);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto value = values_.find(labels[i]);
    if (!value) return std::nullopt;
    key.labels[i] = *value;
  }
  const std::uint32_t series = slots_[probe(slots_, key)];
  if (series == kFree) return std::nullopt;
  return series;
}

std::uint32_t SeriesTable::find_or_add(Metric metric, const LabelValues& labels) {
  assert(labels.size() == metrics::info(metric).label_count());
  Key key{metric, {}};
  key.labels.fill(kNoLabel);
  for (std::size_t i = 0; i < labels.size(); ++i) key.labels[i] = *values_.find_or_add(labels[i]);
  std::uint32_t& slot = slots_[probe(slots_, key)];
  if (slot != kFree) return slot;
  const auto series = static_cast<std::uint32_t>(keys_.size());
  slot = series;
  keys_.push_back(key);
  if (keys_.size() * 2 > slots_.size()) grow();
  return series;
}

void SeriesTable::grow() {
  std::vector<std::uint32_t> larger(slots_.size() * 2, kFree);
  for (std::uint32_t series = 0; series < keys_.size(); ++series)
    larger[probe(larger, keys_[series])] = series;
  slots_ = std::move(larger);
}

SeriesKey SeriesTable::operator[](std::uint32_t series) const {
  const Key& key = keys_[series];
  SeriesKey out{&metrics::info(key.metric), {}};
  for (const std::uint32_t label : key.labels) {
    if (label != kNoLabel) out.labels.push_back(values_.name(label));
  }
  return out;
}

}  // namespace mdpipe::metrics

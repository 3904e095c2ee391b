#include "metrics-agent/alerts/rules/grouped_growth.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace mdpipe::agent {
namespace {

constexpr std::size_t kGroupsMax = 1000;
constexpr double kTailQuantile = 0.99;
constexpr std::chrono::minutes kLatencyWindow{5};

}  // namespace

std::string joined_labels(const SeriesKey& key, LabelMask labels) {
  std::string out;
  for (std::size_t i = 0; i < key.labels.size(); ++i) {
    if ((labels >> i & 1U) == 0 || key.labels[i].empty()) continue;
    out.append(out.empty() ? "" : " ").append(key.labels[i]);
  }
  return out;
}

LatencyGrowth::Buckets buckets_of(const Cell& cell) {
  LatencyGrowth::Buckets out{};
  if (!cell.histogram) return out;
  for (const HistogramSum* sum : {&cell.histogram->ended, &cell.histogram->current}) {
    std::uint64_t beyond = sum->count;
    for (std::size_t i = 0; i < sum->bounds.size(); ++i) {
      out[i] += sum->bounds[i];
      beyond -= std::min(beyond, sum->bounds[i]);
    }
    out.back() += beyond;
  }
  return out;
}

std::size_t CellGroups::find(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? size() : found->second;
}

std::size_t CellGroups::find_or_add(const SeriesKey& key) {
  std::string name = joined_labels(key, labels_);
  const auto found = by_name_.find(name);
  if (found != by_name_.end()) return found->second;
  if (names_.size() > kGroupsMax) return kGroupsMax;
  if (names_.size() == kGroupsMax) name = "others";
  by_name_.emplace(name, names_.size());
  names_.push_back(std::move(name));
  return names_.size() - 1;
}

void CounterGrowth::add(const SeriesKey& key, CellIndex cell, std::uint64_t before) {
  const std::size_t group = groups_.find_or_add(key);
  if (group >= members_.size()) members_.push_back({{}, 0, Growth(window_)});
  members_[group].cells.push_back(cell);
  members_[group].before += before;
}

void CounterGrowth::update(const SnapshotStore& store, SteadyTime now) {
  grown_.resize(members_.size());
  for (std::size_t i = 0; i < members_.size(); ++i) {
    std::uint64_t total = 0;
    for (const CellIndex cell : members_[i].cells) total += store.cells()[cell].total();
    grown_[i] = static_cast<double>(members_[i].growth.update(total - members_[i].before, now));
  }
}

void LatencyGrowth::add(const SeriesKey& key, CellIndex cell, const Cell& now, bool is_known_source) {
  const std::size_t group = groups_.find_or_add(key);
  if (group >= members_.size())
    members_.push_back({{}, {}, std::vector<Growth>(Buckets().size(), Growth(kLatencyWindow))});
  members_[group].cells.push_back(cell);
  if (is_known_source) return;
  const Buckets buckets = buckets_of(now);
  for (std::size_t i = 0; i < buckets.size(); ++i) members_[group].before[i] += buckets[i];
}

void LatencyGrowth::update(const SnapshotStore& store, SteadyTime now) {
  p99_seconds_.resize(members_.size());
  for (std::size_t i = 0; i < members_.size(); ++i) {
    Group& group = members_[i];
    Buckets totals{};
    for (const CellIndex cell : group.cells) {
      const Buckets buckets = buckets_of(store.cells()[cell]);
      for (std::size_t bucket = 0; bucket < totals.size(); ++bucket) totals[bucket] += buckets[bucket];
    }
    for (std::size_t bucket = 0; bucket < totals.size(); ++bucket)
      totals[bucket] = group.growth[bucket].update(totals[bucket] - group.before[bucket], now);
    p99_seconds_[i] = quantile_seconds(totals, kTailQuantile);
  }
}

double quantile_seconds(const LatencyGrowth::Buckets& buckets, double q) {
  std::uint64_t count = 0;
  for (const std::uint64_t bucket : buckets) count += bucket;
  if (count == 0) return std::numeric_limits<double>::quiet_NaN();
  double rank = q * static_cast<double>(count);
  double low = 0;
  for (std::size_t i = 0; i < metrics::kLatencyBounds.size(); ++i) {
    const double high = metrics::kLatencyBounds[i];
    const auto in_bucket = static_cast<double>(buckets[i]);
    if (in_bucket > 0 && rank <= in_bucket) return low + (high - low) * rank / in_bucket;
    rank -= in_bucket;
    low = high;
  }
  return low;
}

}  // namespace mdpipe::agent

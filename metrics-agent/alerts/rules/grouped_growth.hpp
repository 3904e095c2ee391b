#pragma once
// The growth of counters and latency histograms in a moving window, added up over the cells that share some
// labels. Pure: the store and the time come in.
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "metrics-agent/alerts/rules/growth.hpp"
#include "metrics-agent/store/snapshot_store.hpp"

namespace mdpipe::agent {

// Which labels of a metric make a group: bit i is label i.
using LabelMask = unsigned;

// The values of these labels, separated by spaces, without empty ones: "gmo ticker BTC_JPY".
std::string joined_labels(const SeriesKey& key, LabelMask labels);

// The cells of one metric, grouped by some of its labels. After 1,000 groups, all further ones
// share one group, "others".
class CellGroups {
 public:
  explicit CellGroups(LabelMask labels) : labels_(labels) {}

  // The group of a series; a new one if needed.
  std::size_t find_or_add(const SeriesKey& key);
  [[nodiscard]] std::size_t size() const { return names_.size(); }
  [[nodiscard]] const std::string& name(std::size_t group) const { return names_[group]; }
  // Number of the group with that name; size() if there is none.
  [[nodiscard]] std::size_t find(const std::string& name) const;

 private:
  LabelMask labels_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::size_t> by_name_;
};

// A counter by group, as its growth in a window.
class CounterGrowth {
 public:
  CounterGrowth(metrics::Metric metric, LabelMask labels, std::chrono::nanoseconds window,
                bool (*counts)(const SeriesKey&) = nullptr)
      : metric_(metric), groups_(labels), window_(window), counts_(counts) {}

  [[nodiscard]] bool counts_series(const SeriesKey& key) const {
    return key.info->metric == metric_ && (counts_ == nullptr || counts_(key));
  }
  // `before` is the part of the count that is not growth.
  void add(const SeriesKey& key, CellIndex cell, std::uint64_t before);
  void update(const SnapshotStore& store, SteadyTime now);
  [[nodiscard]] const std::vector<double>& grown() const { return grown_; }
  [[nodiscard]] const CellGroups& groups() const { return groups_; }

 private:
  struct Group {
    std::vector<CellIndex> cells;
    std::uint64_t before = 0;
    Growth growth;
  };
  metrics::Metric metric_;
  CellGroups groups_;
  std::chrono::nanoseconds window_;
  bool (*counts_)(const SeriesKey&);
  std::vector<Group> members_;  // by group
  std::vector<double> grown_;   // by group
};

// The latency that 1 % of a window's observations exceed, by exchange, from the same buckets as on /metrics.
class LatencyGrowth {
 public:
  void add(const SeriesKey& key, CellIndex cell, const Cell& now, bool is_known_source);
  void update(const SnapshotStore& store, SteadyTime now);
  [[nodiscard]] const std::vector<double>& p99_seconds() const { return p99_seconds_; }
  [[nodiscard]] const CellGroups& groups() const { return groups_; }

  // Observations by kLatencyBounds, not cumulative; the last bucket is beyond the last bound.
  using Buckets = std::array<std::uint64_t, metrics::kLatencyBounds.size() + 1>;

 private:
  struct Group {
    std::vector<CellIndex> cells;
    Buckets before{};
    std::vector<Growth> growth;  // by bucket
  };
  CellGroups groups_{1U};
  std::vector<Group> members_;
  std::vector<double> p99_seconds_;
};

// As Prometheus's histogram_quantile: linear within a bucket; the last bound for observations beyond it; NaN
// without observations.
double quantile_seconds(const LatencyGrowth::Buckets& buckets, double q);

}  // namespace mdpipe::agent

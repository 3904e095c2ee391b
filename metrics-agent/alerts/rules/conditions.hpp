#pragma once
// The values that the alerts are judged by, computed once a second: for each alert one value for each of its
// subjects (an exchange, a feed, a component ...). Counters are measured by their growth in a moving window.
// Pure: the store and the time come in. New series are sorted by the alerts that use them, once, so that each
// update only adds numbers.
//
// Counts that the agent finds when it starts, or in a component that is new to it, are not growth. A new
// series of a known component is.
#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "metrics-agent/alerts/rules/alert_rules.hpp"
#include "metrics-agent/alerts/rules/growth.hpp"
#include "metrics-agent/store/snapshot_store.hpp"

namespace mdpipe::agent {

// Which labels of a metric make a group: bit i is label i.
using LabelMask = unsigned;

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

class Conditions {
 public:
  static constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

  // `own_component` is the agent itself.
  Conditions(const SnapshotStore& store, std::string_view own_component);

  // Once a second, after the store has marked silent sources.
  void update(SteadyTime now);

  // By subject; kUnknown if there is no data. Subjects are never removed and keep their number.
  [[nodiscard]] const std::vector<double>& values(AlertId alert) const;
  // "gmo ticker BTC_JPY"; at most 200 bytes.
  [[nodiscard]] std::string subject(AlertId alert, std::size_t index) const;

 private:
  void sort_new_cells();
  void update_sources();
  void update_gauges();
  void update_memory();
  void update_feeds();
  void update_published();
  std::vector<double>& of(AlertId alert) { return values_[static_cast<std::size_t>(alert)]; }

  struct CounterAlert {
    AlertId alert{};
    CounterGrowth growth;
  };
  struct GaugeAlert {
    AlertId alert{};
    metrics::Metric metric{};
    double (*badness)(double) = nullptr;
    std::vector<SeriesIndex> series;
  };

  const SnapshotStore& store_;
  std::string own_component_;
  std::size_t cells_sorted_ = 0, series_sorted_ = 0;
  std::vector<bool> source_is_known_;  // its first series existed in an earlier update
  std::vector<CounterAlert> counters_;
  std::vector<GaugeAlert> gauges_;
  std::vector<SeriesIndex> feeds_;
  std::vector<SeriesIndex> memory_used_, memory_max_;  // of Redis, as each publisher reports it
  CounterGrowth received_, published_;
  LatencyGrowth latency_;
  std::array<std::vector<double>, kAlerts.size()> values_;
};

}  // namespace mdpipe::agent

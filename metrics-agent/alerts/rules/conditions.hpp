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
#include <vector>

#include "metrics-agent/alerts/rules/alert_rules.hpp"
#include "metrics-agent/alerts/rules/grouped_growth.hpp"
#include "metrics-agent/store/snapshot_store.hpp"

namespace mdpipe::agent {

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

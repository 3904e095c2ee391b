#pragma once
// Messages of a component, built by hand, for tests that choose epoch and number themselves.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "libshared/metrics/catalogue.hpp"
#include "libshared/metrics/delta.hpp"
#include "metrics-agent/store/snapshot_store.hpp"

namespace mdpipe::agent {

// Seconds since an arbitrary start, on both clocks.
inline Moment at(double seconds) {
  const auto nanos = static_cast<std::int64_t>(seconds * 1e9);
  return {UnixNanos{1'700'000'000'000'000'000 + nanos}, SteadyTime(std::chrono::nanoseconds(nanos))};
}

inline const std::vector<std::string> kTicker = {"gmo", "ticker", "BTC_JPY"};

class FakeComponent {
 public:
  FakeComponent(std::string component, std::string source, std::uint64_t epoch = 100) {
    delta_.component = std::move(component);
    delta_.source = std::move(source);
    delta_.epoch = delta_.origin = epoch;
  }

  FakeComponent& counter(metrics::Metric metric, const std::vector<std::string>& labels,
                         std::uint64_t total) {
    counters_[id(metric, labels)] = total;
    return *this;
  }
  FakeComponent& gauge(metrics::Metric metric, const std::vector<std::string>& labels, double value) {
    gauges_[id(metric, labels)] = value;
    return *this;
  }
  // `count` observations of one duration.
  FakeComponent& histogram(metrics::Metric metric, const std::vector<std::string>& labels,
                           std::uint64_t count, std::uint64_t nanos) {
    metrics::HistogramTotals totals;
    totals.count = count;
    totals.sum_ns = static_cast<double>(count) * static_cast<double>(nanos);
    totals.bounds.resize(metrics::kLatencyBounds.size());
    for (std::size_t i = 0; i < totals.bounds.size(); ++i) {
      if (static_cast<double>(nanos) * 1e-9 > metrics::kLatencyBounds[i]) continue;
      totals.bounds[i] = count;
      break;
    }
    totals.buckets = {{static_cast<std::uint32_t>(metrics::quantile_bucket(nanos)), count}};
    histograms_[id(metric, labels)] = totals;
    return *this;
  }

  metrics::Delta message(bool full = true, bool last = false) {
    metrics::Delta out = delta_;
    out.n = ++delta_.n;
    out.full = full;
    out.last = last;
    if (full) {
      for (const auto& [key, id] : ids_) out.series.push_back({id, key.first, key.second});
    }
    out.counters.assign(counters_.begin(), counters_.end());
    out.gauges.assign(gauges_.begin(), gauges_.end());
    out.histograms.assign(histograms_.begin(), histograms_.end());
    return out;
  }
  // A message that never arrives.
  void lose() { ++delta_.n; }

  // `origin` is an earlier run's if the component's counters are persistent.
  FakeComponent& restart(std::uint64_t epoch, std::uint64_t origin = 0) {
    delta_.epoch = epoch;
    delta_.origin = origin == 0 ? epoch : origin;
    delta_.n = 0;
    ids_.clear();
    counters_.clear();
    gauges_.clear();
    histograms_.clear();
    return *this;
  }

 private:
  metrics::SeriesId id(metrics::Metric metric, const std::vector<std::string>& labels) {
    const auto next = static_cast<metrics::SeriesId>(ids_.size());
    return ids_.try_emplace({std::string(metrics::info(metric).name), labels}, next).first->second;
  }

  metrics::Delta delta_;
  std::map<std::pair<std::string, std::vector<std::string>>, metrics::SeriesId> ids_;
  std::map<metrics::SeriesId, std::uint64_t> counters_;
  std::map<metrics::SeriesId, double> gauges_;
  std::map<metrics::SeriesId, metrics::HistogramTotals> histograms_;
};

}  // namespace mdpipe::agent

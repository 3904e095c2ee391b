#pragma once
// Adds the components' messages to the store, and counts and logs notable events. The agent's own metrics go
// the same way, as messages of a component that never stops.
#include <string>
#include <string_view>

#include "libshared/log/log.hpp"
#include "libshared/metrics/collector.hpp"
#include "metrics-agent/store/snapshot_store.hpp"

namespace mdpipe::agent {

inline constexpr std::string_view kOwnComponent = "metrics-agent";

class Intake {
 public:
  // Borrows the store. The agent's own counters are kept in `counter_file`; empty for memory only.
  explicit Intake(SnapshotStore& store, std::string counter_file = {});

  void on_message(std::string_view bytes, Moment now);
  // Once a second: adds the agent's own counts, and marks silent components.
  void tick(Moment now);
  // Where the agent's other parts count.
  metrics::MetricsCollector& own() { return own_; }

 private:
  void count_and_log(const metrics::Delta& delta, const Applied& applied, Moment now);
  void log_source(const metrics::Delta& delta, const Applied& applied);
  void refuse(std::string_view why, Moment now);
  void report_own(Moment now);

  SnapshotStore& store_;
  metrics::MetricsCollector own_;
  metrics::Delta own_delta_;
  bool own_named_ = false;
  log::RateLimit refused_limit_, lost_limit_, series_limit_;
};

}  // namespace mdpipe::agent

#include "metrics-agent/health.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mdpipe::agent {
namespace {

using metrics::Metric;

std::string source_reason(const Source& source) {
  return fmt::format("component {} {} {} since {}", source.component, source.name,
                     source.said_goodbye ? "stopped" : "silent", to_iso8601(source.last_seen.wall));
}

// A gauge of 0 where 1 is well.
void add_down_gauge(const SeriesKey& key, const Source& source, std::vector<std::string>& reasons) {
  if (key.info->metric == Metric::RedisUp) {
    reasons.push_back(fmt::format("redis down, says {} {}", source.component, source.name));
  } else if (key.info->metric == Metric::ConnectionUp) {
    reasons.push_back(
        fmt::format("exchange {} disconnected, says {} {}", key.labels[0], source.component, source.name));
  }
}

}  // namespace

std::vector<std::string> health_reasons(const SnapshotStore& store, std::string_view own_component) {
  std::vector<std::string> reasons;
  bool any = false;
  for (const Source& source : store.sources()) {
    if (source.component == own_component) continue;
    any = true;
    if (!source.up) reasons.push_back(source_reason(source));
  }
  if (!any) return {"no component has reported yet"};
  for (const Cell& cell : store.cells()) {
    const Source& source = store.sources()[cell.source];
    const bool is_down = cell.gauge_stamp > 0 && cell.gauge == 0;
    if (source.up && is_down) add_down_gauge(store.key(cell), source, reasons);
  }
  std::sort(reasons.begin(), reasons.end());
  return reasons;
}

}  // namespace mdpipe::agent

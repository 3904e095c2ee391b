#include "metrics-agent/http/page/health.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>

#include "libshared/event/event.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;

std::string source_reason(const Source& source) {
  return fmt::format("component {} {} {} since {}", source.component, source.name,
                     source.said_goodbye ? "stopped" : "silent", to_iso8601(source.last_seen.wall));
}

// "ws-reader gmo"; "md-publisher" if the source has the same name.
std::string named(const Source& source) {
  if (source.component == source.name) return source.component;
  return source.component + ' ' + source.name;
}

// For a gauge that is 0 and should be 1.
void add_down_gauge(const SeriesKey& key, const Source& source, std::vector<std::string>& reasons) {
  if (key.info->metric == Metric::RedisUp) {
    reasons.push_back(fmt::format("{} cannot reach Redis", named(source)));
  } else if (key.info->metric == Metric::ConnectionUp) {
    reasons.push_back(fmt::format("exchange {} disconnected ({})", key.labels[0], named(source)));
  }
}

constexpr std::size_t kFeedsNamed = 20;
constexpr double kLastSecond = 9e9;  // the largest value that fits into UnixNanos
// A new feed may be without data for a while: in a slow market, or while requests wait for the rate limit of
// the exchange.
constexpr auto kPendingMax = std::chrono::minutes(10);

// A feed as its reader describes it.
struct FeedReport {
  std::optional<FeedState> state;
  UnixNanos since{};
};

bool is_unhealthy(const FeedReport& feed, UnixNanos now) {
  if (!feed.state) return false;
  switch (*feed.state) {
    case FeedState::Live:
    case FeedState::Quiet:
    case FeedState::Ended:
      return false;
    case FeedState::Pending:
      return feed.since.count != 0 && now - feed.since > kPendingMax;
    case FeedState::Stale:
    case FeedState::Gap:
    case FeedState::Down:
      return true;
  }
  return true;
}

// "2026-11-25T10:00:00Z"
std::string to_seconds(UnixNanos time) { return to_iso8601(time).substr(0, 19) + 'Z'; }

// By "gmo ticker BTC_JPY".
std::map<std::string, FeedReport> feed_reports(const SnapshotStore& store) {
  std::map<std::string, FeedReport> feeds;
  for (const Cell& cell : store.cells()) {
    const SeriesKey key = store.key(cell);
    const bool is_state = key.info->metric == Metric::FeedState;
    if ((!is_state && key.info->metric != Metric::FeedStateSince) || cell.gauge_stamp == 0) continue;
    if (!store.sources()[cell.source].up) continue;
    FeedReport& feed = feeds[fmt::format("{}", fmt::join(key.labels, " "))];
    if (!is_state) {
      if (cell.gauge > 0 && cell.gauge < kLastSecond)
        feed.since = UnixNanos{static_cast<std::int64_t>(cell.gauge * 1e9)};
    } else if (cell.gauge >= 0 && cell.gauge < static_cast<double>(std::size(kFeedStates))) {
      feed.state = kFeedStates[static_cast<std::size_t>(cell.gauge)];
    }
  }
  return feeds;
}

void add_feeds(const SnapshotStore& store, UnixNanos now, std::vector<std::string>& reasons) {
  std::size_t count = 0;
  for (const auto& [name, feed] : feed_reports(store)) {
    if (!is_unhealthy(feed, now) || ++count > kFeedsNamed) continue;
    reasons.push_back(fmt::format("{} {} since {}", name, to_string(*feed.state), to_seconds(feed.since)));
  }
  if (count > kFeedsNamed) reasons.push_back(fmt::format("and {} more feeds", count - kFeedsNamed));
}

}  // namespace

std::vector<std::string> health_reasons(const SnapshotStore& store, std::string_view own_component,
                                        UnixNanos now) {
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
  add_feeds(store, now, reasons);
  return reasons;
}

}  // namespace mdpipe::agent

#pragma once
// The one list of alerts: name, severity, limit, how long it must be exceeded. The Prometheus rules in
// compose/prometheus have the same names, limits and times, and docs/runbook.md an entry for each; a test
// compares the three. conditions.hpp describes the values that are compared with the limits.
#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "libshared/config/options.hpp"
#include "libshared/log/log.hpp"
#include "libshared/result/result.hpp"

namespace mdpipe::agent {

// In the order of evaluation: an alert that explains others comes first.
enum class AlertId {
  ComponentDown,
  NoComponents,
  RedisDown,
  ExchangeDown,
  FeedStale,
  FeedPending,
  NothingPublished,
  EventsDropped,
  RedisLostEvents,
  StreamCut,
  RedisNearlyFull,
  Errors,
  Reconnecting,
  Backlog,
  PublishSlow,
  ClockBehind,
  ForwardFailing,
  ForwardDropped,
  SeriesRefused,
};

struct AlertInfo {
  AlertId id;
  std::string_view name;
  log::Level severity;        // Warn: look at it today; Error: data is missing or about to be
  double limit;               // a value above it is bad; 0 for alerts without a number
  std::chrono::seconds hold;  // and for this long
  bool has_limit;             // whether an operator can set another limit
  std::string_view meaning;   // half a sentence for people
};

// In the order of AlertId.
inline constexpr std::array kAlerts = {
    AlertInfo{AlertId::ComponentDown, "MdpipeComponentDown", log::Level::Error, 0, std::chrono::seconds(30),
              false, "a component sends no metrics: it is down or stuck"},
    AlertInfo{AlertId::NoComponents, "MdpipeNoComponents", log::Level::Error, 0, std::chrono::minutes(5),
              false, "no component has reported since metrics-agent started"},
    AlertInfo{AlertId::RedisDown, "MdpipeRedisDown", log::Level::Error, 0, std::chrono::seconds(30), false,
              "Redis cannot be reached; readers keep events meanwhile"},
    AlertInfo{AlertId::ExchangeDown, "MdpipeExchangeDown", log::Level::Error, 0, std::chrono::minutes(1),
              false, "no connection to the exchange"},
    AlertInfo{AlertId::FeedStale, "MdpipeFeedStale", log::Level::Warn, 0, std::chrono::seconds(30), false,
              "feeds are silent or have a gap: do not trade on them"},
    AlertInfo{AlertId::FeedPending, "MdpipeFeedPending", log::Level::Warn, 0, std::chrono::minutes(10), false,
              "feeds were subscribed, but no event has arrived"},
    AlertInfo{AlertId::NothingPublished, "MdpipeNothingPublished", log::Level::Error, 0,
              std::chrono::minutes(1), false, "events are received but none reaches Redis"},
    AlertInfo{AlertId::EventsDropped, "MdpipeEventsDropped", log::Level::Error, 0, std::chrono::seconds(0),
              true, "events were lost in the last 5 minutes"},
    AlertInfo{AlertId::RedisLostEvents, "MdpipeRedisLostEvents", log::Level::Error, 0,
              std::chrono::seconds(0), true, "Redis has lost events that it had confirmed"},
    AlertInfo{AlertId::StreamCut, "MdpipeStreamCut", log::Level::Warn, 0, std::chrono::seconds(0), true,
              "someone else deleted or trimmed entries of a stream"},
    AlertInfo{AlertId::RedisNearlyFull, "MdpipeRedisNearlyFull", log::Level::Warn, 0, std::chrono::minutes(1),
              false, "Redis uses more than 90 % of its maxmemory, at which it refuses writes"},
    AlertInfo{AlertId::Errors, "MdpipeErrors", log::Level::Warn, 5, std::chrono::minutes(1), true,
              "errors in the last 5 minutes"},
    AlertInfo{AlertId::Reconnecting, "MdpipeReconnecting", log::Level::Warn, 5, std::chrono::seconds(0), true,
              "lost connections to the exchange in the last 10 minutes"},
    AlertInfo{AlertId::Backlog, "MdpipeBacklog", log::Level::Warn, 10'000, std::chrono::minutes(1), true,
              "events that Redis has not confirmed"},
    AlertInfo{AlertId::PublishSlow, "MdpipePublishSlow", log::Level::Warn, 0.5, std::chrono::minutes(5), true,
              "seconds from the frame to Redis that 1 % of events exceed"},
    AlertInfo{AlertId::ClockBehind, "MdpipeClockBehind", log::Level::Warn, 0.1, std::chrono::minutes(5), true,
              "seconds by which this host's clock is behind the exchange's"},
    AlertInfo{AlertId::ForwardFailing, "MdpipeForwardFailing", log::Level::Warn, 2, std::chrono::minutes(5),
              true, "failures of a destination of the metrics in the last 5 minutes"},
    AlertInfo{AlertId::ForwardDropped, "MdpipeForwardDropped", log::Level::Warn, 0, std::chrono::seconds(0),
              true, "data points that a destination of the metrics will never get"},
    AlertInfo{AlertId::SeriesRefused, "MdpipeSeriesRefused", log::Level::Warn, 0, std::chrono::seconds(0),
              true, "metric series were refused; their values are missing"},
};

constexpr const AlertInfo& info(AlertId id) { return kAlerts[static_cast<std::size_t>(id)]; }

constexpr std::string_view to_string(log::Level severity) {
  return severity == log::Level::Error ? "critical" : "warning";
}

// "docs/runbook.md#mdpipebacklog"
std::string runbook_entry(AlertId id);

// How one alert is judged. It ends when its value has been at most half of the limit for `keep`.
struct AlertRule {
  bool is_on = true;
  double limit = 0;
  std::chrono::nanoseconds hold{};
  std::chrono::nanoseconds keep{};

  [[nodiscard]] double end_limit() const { return limit / 2; }
};

class AlertRules {
 public:
  // The defaults of kAlerts; each alert ends after `keep`.
  explicit AlertRules(std::chrono::nanoseconds keep = std::chrono::minutes(1));

  AlertRule& operator[](AlertId id) { return rules_[static_cast<std::size_t>(id)]; }
  const AlertRule& operator[](AlertId id) const { return rules_[static_cast<std::size_t>(id)]; }

 private:
  std::array<AlertRule, kAlerts.size()> rules_;
};

// What an operator writes.
struct AlertRulesConfig {
  config::StringList limits;  // "MdpipeErrors=20"
  config::StringList holds;   // "MdpipeExchangeDown=5m"
  config::StringList off;     // "MdpipeFeedPending"
  config::Milliseconds keep = std::chrono::minutes(1);
};

// BadConfig names the option, the entry and what is allowed.
Result<AlertRules> make_alert_rules(const AlertRulesConfig& config);

std::optional<AlertId> find_alert(std::string_view name);

}  // namespace mdpipe::agent

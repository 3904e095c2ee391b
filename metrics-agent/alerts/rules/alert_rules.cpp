#include "metrics-agent/alerts/rules/alert_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "libshared/text/ascii.hpp"

namespace mdpipe::agent {
namespace {

constexpr double kLimitMax = 1e12;
constexpr auto kHoldMax = std::chrono::hours(24);

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < kAlerts.size(); ++i) {
    if (static_cast<std::size_t>(kAlerts[i].id) != i) return false;
  }
  return true;
}
static_assert(is_in_order(), "kAlerts is indexed by AlertId");

Error bad(std::string_view option, std::string_view entry, std::string_view expected) {
  return {ErrorKind::BadConfig, fmt::format("--{} '{}': expected {}", option, entry, expected)};
}

std::string names(bool (*accepts)(const AlertInfo&)) {
  std::string out;
  for (const AlertInfo& alert : kAlerts) {
    if (accepts(alert)) out.append(out.empty() ? "" : ", ").append(alert.name);
  }
  return out;
}

Result<bool> set_limit(const std::string& entry, AlertRules& rules) {
  const auto [name, text] = ascii::split_once(entry, '=');
  const auto alert = find_alert(name);
  if (!alert || !info(*alert).has_limit) {
    return bad(
        "alert-limits", entry,
        fmt::format("NAME=NUMBER with one of {}", names([](const AlertInfo& one) { return one.has_limit; })));
  }
  double limit = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (ec != std::errc() || end != text.data() + text.size() || !(limit >= 0 && limit <= kLimitMax))
    return bad("alert-limits", entry, "a number from 0 to 1e12, such as MdpipeErrors=20");
  rules[*alert].limit = limit;
  return true;
}

Result<bool> set_hold(const std::string& entry, AlertRules& rules) {
  const auto [name, text] = ascii::split_once(entry, '=');
  const auto alert = find_alert(name);
  if (!alert) {
    return bad("alert-for", entry,
               fmt::format("NAME=TIME with one of {}", names([](const AlertInfo&) { return true; })));
  }
  const auto hold = config::parse_duration(text);
  if (!hold || *hold < std::chrono::seconds(0) || *hold > kHoldMax)
    return bad("alert-for", entry, "a time from 0s to 24h, such as MdpipeExchangeDown=5m");
  rules[*alert].hold = *hold;
  return true;
}

Result<bool> turn_off(const std::string& name, AlertRules& rules) {
  const auto alert = find_alert(name);
  if (!alert)
    return bad("alert-off", name, fmt::format("one of {}", names([](const AlertInfo&) { return true; })));
  rules[*alert].is_on = false;
  return true;
}

}  // namespace

std::optional<AlertId> find_alert(std::string_view name) {
  for (const AlertInfo& alert : kAlerts) {
    if (alert.name == name) return alert.id;
  }
  return std::nullopt;
}

std::string runbook_entry(AlertId id) { return "docs/runbook.md#" + ascii::lower(info(id).name); }

AlertRules::AlertRules(std::chrono::nanoseconds keep) {
  for (const AlertInfo& alert : kAlerts) (*this)[alert.id] = {true, alert.limit, alert.hold, keep};
}

Result<AlertRules> make_alert_rules(const AlertRulesConfig& config) {
  AlertRules rules(config.keep);
  for (const auto& [entries, set] :
       {std::pair{&config.limits, &set_limit}, {&config.holds, &set_hold}, {&config.off, &turn_off}}) {
    for (const std::string& entry : *entries) {
      if (const auto done = set(entry, rules); !done) return done.error();
    }
  }
  return rules;
}

}  // namespace mdpipe::agent

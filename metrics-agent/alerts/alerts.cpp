#include "metrics-agent/alerts/alerts.hpp"

#include <cmath>

#include "libshared/json/json_string.hpp"
#include "metrics-agent/store/intake.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;

std::string subjects_json(const std::vector<std::string>& subjects) {
  std::string out = "[";
  for (const std::string& subject : subjects) {
    if (out.back() != '[') out += ',';
    append_json_string(valid_utf8(subject), out);
  }
  return out + ']';
}

void log_report(const AlertReport& report) {
  const AlertInfo& alert = info(report.alert);
  const std::string subjects = subjects_json(report.subjects);
  log::write(report.is_over ? log::Level::Info : alert.severity,
             report.is_over ? "alert over" : "alert firing",
             {{"alert", alert.name},
              {"severity", to_string(alert.severity)},
              {"meaning", alert.meaning},
              {"value", std::isfinite(report.value) ? report.value : 0},
              {"limit", report.limit},
              {"subjects", log::Json{subjects}},
              {"subjects_more", report.subjects_more},
              {"firing", report.firing},
              {"since", to_iso8601(report.since)},
              {"runbook", runbook_entry(report.alert)}});
}

}  // namespace

Alerts::Alerts(const SnapshotStore& store, metrics::MetricsCollector& own, const AlertRules& rules)
    : own_(own), conditions_(store, kOwnComponent), book_(conditions_, rules) {
  for (const AlertInfo& alert : kAlerts)
    firing_[static_cast<std::size_t>(alert.id)] = own_.series(Metric::AlertFiring, {alert.name});
}

void Alerts::call_webhook(asio::io_context& io, const WebhookOptions& options) {
  webhook_.emplace(io, options, book_, own_);
  log::info("alerts are sent to a webhook", {{"receiver", webhook_host(options.url)}});
}

void Alerts::tick(Moment now) {
  conditions_.update(now.steady);
  for (const AlertReport& report : book_.update(now)) log_report(report);
  for (const AlertInfo& alert : kAlerts)
    own_.set(firing_[static_cast<std::size_t>(alert.id)], book_.is_firing(alert.id) ? 1 : 0);
  if (webhook_) webhook_->tick(now);
}

}  // namespace mdpipe::agent

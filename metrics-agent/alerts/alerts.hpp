#pragma once
// The alerts of the running agent: judged once a second, logged, shown as collector_alert_firing, and sent to
// the webhook if one is configured.
#include <array>
#include <asio/io_context.hpp>
#include <optional>

#include "libshared/metrics/collector.hpp"
#include "metrics-agent/alerts/rules/alert_book.hpp"
#include "metrics-agent/alerts/rules/conditions.hpp"
#include "metrics-agent/alerts/webhook/webhook.hpp"

namespace mdpipe::agent {

class Alerts {
 public:
  // Borrows the store and the collector of the agent's own metrics.
  Alerts(const SnapshotStore& store, metrics::MetricsCollector& own, const AlertRules& rules);

  // Throws process::StartupError if libcurl cannot be loaded.
  void call_webhook(asio::io_context& io, const WebhookOptions& options);

  void set_rules(const AlertRules& rules) { book_.set_rules(rules); }

  // After the store has marked silent sources.
  void tick(Moment now);

  // Whether no message is on its way.
  [[nodiscard]] bool is_idle() const { return !webhook_ || webhook_->is_idle(); }

 private:
  metrics::MetricsCollector& own_;
  Conditions conditions_;
  AlertBook book_;
  std::array<metrics::Series, kAlerts.size()> firing_;
  std::optional<Webhook> webhook_;
};

}  // namespace mdpipe::agent

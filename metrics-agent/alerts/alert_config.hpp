#pragma once
// The alerts and their webhook: what an operator writes (config), and what is made of it (options).
#include <optional>
#include <string>

#include "libshared/config/options.hpp"
#include "libshared/result/result.hpp"
#include "metrics-agent/alerts/rules/alert_rules.hpp"
#include "metrics-agent/alerts/webhook/webhook_options.hpp"

namespace mdpipe::agent {

struct AlertConfig {
  bool enabled = true;
  AlertRulesConfig rules;        // a reload changes these, and no other option of the alerts
  std::string webhook_url_file;  // empty: the systemd credential alert_webhook_url, if there is one
  std::string webhook_format = "json";
  config::Milliseconds webhook_interval_min = std::chrono::seconds(30);
  std::string webhook_ca_file;
};

struct AlertOptions {
  AlertRules rules;
  std::optional<WebhookOptions> webhook;
};

// Binds `config`, which must outlive the table.
void add_alert_options(config::OptionTable& table, AlertConfig& config);

// Reads the file of the webhook's address. The error names the option and the remedy.
Result<AlertOptions> make_alert_options(const AlertConfig& config);

}  // namespace mdpipe::agent

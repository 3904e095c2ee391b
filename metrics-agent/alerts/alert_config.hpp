#pragma once
// The options of the alerts and of their webhook: what an operator writes, and what is made of it.
#include <string>

#include "libshared/config/options.hpp"
#include "libshared/result/result.hpp"
#include "metrics-agent/alerts/rules/alert_rules.hpp"
#include "metrics-agent/alerts/webhook/webhook_options.hpp"

namespace mdpipe::agent {

struct AlertConfig {
  bool enabled = true;
  struct Judging {
    config::StringList limits, holds, off;
    config::Milliseconds keep = std::chrono::minutes(1);
    AlertRules rules;  // made of the above by check_alerts()
  } judging;           // a reload changes all of it, and nothing else

  std::string webhook_url_file;  // empty: the systemd credential alert_webhook_url, where there is one
  std::string webhook_format = "json";
  config::Milliseconds webhook_interval_min = std::chrono::seconds(30);
  std::string webhook_ca_file;
  WebhookOptions webhook;  // made of the above by check_alerts(); without a URL nobody is called
};

// Binds `config`, which must outlive the table.
void declare_alert_options(config::OptionTable& options, AlertConfig& config);

// The error names the option and the remedy.
Result<bool> check_alerts(AlertConfig& config);

}  // namespace mdpipe::agent

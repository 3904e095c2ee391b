#include "metrics-agent/alerts/alert_config.hpp"

#include <utility>

#include "libshared/config/secret_file.hpp"

namespace mdpipe::agent {
namespace {

Result<std::optional<WebhookOptions>> make_webhook_options(const AlertConfig& config) {
  const auto url = config::read_secret(
      {"alert-webhook-url-file", "alert_webhook_url", "the address of the webhook"}, config.webhook_url_file);
  if (!url) return url.error();
  WebhookOptions options;
  options.url = url.value().value_or("");
  if (options.url.empty()) return std::optional<WebhookOptions>();
  if (!is_webhook_url(options.url)) {
    return Error{ErrorKind::BadConfig,
                 "--alert-webhook-url-file: the file does not contain an address; expected one line such as "
                 "https://host/path (or http://)"};
  }
  options.format = *parse_webhook_format(config.webhook_format);
  options.interval_min = config.webhook_interval_min;
  options.ca_file = config.webhook_ca_file;
  return std::optional<WebhookOptions>(std::move(options));
}

}  // namespace

void add_alert_options(config::OptionTable& table, AlertConfig& config) {
  table.section("Alerts");
  table.add("alerts", config.enabled, "Detect problems; log them and show them as collector_alert_firing.");
  table.add("alert-limits", config.rules.limits, "Limits of single alerts, instead of the defaults.")
      .value_name("NAME=NUMBER,...")
      .reloads();
  table
      .add("alert-for", config.rules.holds,
           "How long a limit must be exceeded before an alert fires, for single alerts, instead of the "
           "defaults.")
      .value_name("NAME=TIME,...")
      .reloads();
  table.add("alert-off", config.rules.off, "Alerts that never fire.").value_name("NAME,...").reloads();
  table
      .add("alert-keep", config.rules.keep,
           "An alert is over when its value was at most half of the limit for this long.")
      .range(0, 86'400'000)
      .reloads();
  table
      .add("alert-webhook-url-file", config.webhook_url_file,
           "File that contains the address to call; by default systemd's credential alert_webhook_url, if it "
           "exists.")
      .value_name("FILE");
  table.add("alert-webhook-format", config.webhook_format, "Format that the webhook accepts.")
      .one_of({"json", "slack", "discord"});
  table
      .add("alert-webhook-interval-min", config.webhook_interval_min,
           "Minimum time between two messages; changes during that time go into the next message.")
      .range(1000, 3'600'000);
  table
      .add(
          "alert-webhook-ca-file", config.webhook_ca_file,
          "PEM file of the certificate authorities to trust for the webhook; by default those of the system.")
      .value_name("FILE");
}

Result<AlertOptions> make_alert_options(const AlertConfig& config) {
  const auto rules = make_alert_rules(config.rules);
  if (!rules) return rules.error();
  auto webhook = make_webhook_options(config);
  if (!webhook) return webhook.error();
  return AlertOptions{rules.value(), std::move(webhook.value())};
}

}  // namespace mdpipe::agent

#include "metrics-agent/alerts/alert_config.hpp"

#include "libshared/config/secret_file.hpp"

namespace mdpipe::agent {
namespace {

Result<bool> make_webhook(AlertConfig& config) {
  const auto url = config::read_secret(
      {"alert-webhook-url-file", "alert_webhook_url", "the address of the webhook"}, config.webhook_url_file);
  if (!url) return url.error();
  WebhookOptions& webhook = config.webhook;
  webhook.url = url.value().value_or("");
  if (!webhook.url.empty() && !is_webhook_url(webhook.url)) {
    return Error{ErrorKind::BadConfig,
                 "--alert-webhook-url-file: what the file holds is no address; expected one line such as "
                 "https://host/path (or http://)"};
  }
  webhook.format = *parse_webhook_format(config.webhook_format);
  webhook.interval_min = config.webhook_interval_min;
  webhook.ca_file = config.webhook_ca_file;
  return true;
}

}  // namespace

void declare_alert_options(config::OptionTable& options, AlertConfig& config) {
  options.section("Alerts");
  options.add("alerts", config.enabled, "Detect problems; log them and show them as collector_alert_firing.");
  options.add("alert-limits", config.judging.limits, "Limits of single alerts, instead of the defaults.")
      .value_name("NAME=NUMBER,...")
      .reloads();
  options
      .add("alert-for", config.judging.holds,
           "How long a limit must be exceeded before an alert fires, for single alerts, instead of the "
           "defaults.")
      .value_name("NAME=TIME,...")
      .reloads();
  options.add("alert-off", config.judging.off, "Alerts that never fire.").value_name("NAME,...").reloads();
  options
      .add("alert-keep", config.judging.keep,
           "An alert is over when its value was at most half of the limit for this long.")
      .range(0, 86'400'000)
      .reloads();
  options
      .add("alert-webhook-url-file", config.webhook_url_file,
           "File that contains the address to call; by default systemd's credential alert_webhook_url, if it "
           "exists.")
      .value_name("FILE");
  options.add("alert-webhook-format", config.webhook_format, "Format that the webhook accepts.")
      .one_of({"json", "slack", "discord"});
  options
      .add("alert-webhook-interval-min", config.webhook_interval_min,
           "Minimum time between two messages; changes during that time go into the next message.")
      .range(1000, 3'600'000);
  options
      .add(
          "alert-webhook-ca-file", config.webhook_ca_file,
          "PEM file of the certificate authorities to trust for the webhook; by default those of the system.")
      .value_name("FILE");
}

Result<bool> check_alerts(AlertConfig& config) {
  const auto rules = make_alert_rules(
      {config.judging.limits, config.judging.holds, config.judging.off, config.judging.keep});
  if (!rules) return rules.error();
  config.judging.rules = rules.value();
  return make_webhook(config);
}

}  // namespace mdpipe::agent

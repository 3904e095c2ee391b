#include "metrics-agent/alerts/alert_settings.hpp"

#include "libshared/config/secret_file.hpp"

namespace mdpipe::agent {
namespace {

Result<bool> make_webhook(AlertSettings& settings) {
  const auto url =
      config::read_secret({"alert-webhook-url-file", "alert_webhook_url", "the address of the webhook"},
                          settings.webhook_url_file);
  if (!url) return url.error();
  WebhookOptions& webhook = settings.webhook;
  webhook.url = url.value().value_or("");
  if (!webhook.url.empty() && !is_webhook_url(webhook.url)) {
    return Error{ErrorKind::BadConfig,
                 "--alert-webhook-url-file: what the file holds is no address; expected one line such as "
                 "https://host/path (or http://)"};
  }
  webhook.format = *parse_webhook_format(settings.webhook_format);
  webhook.interval_min = settings.webhook_interval_min;
  webhook.ca_file = settings.webhook_ca_file;
  return true;
}

}  // namespace

void declare_alert_options(config::OptionTable& options, AlertSettings& settings) {
  options.section("Alerts");
  options.add("alerts", settings.enabled,
              "Detect problems; log them and show them as collector_alert_firing.");
  options.add("alert-limits", settings.judging.limits, "Limits of single alerts, instead of the defaults.")
      .value_name("NAME=NUMBER,...")
      .reloads();
  options
      .add("alert-for", settings.judging.holds,
           "How long a limit must be exceeded before an alert fires, for single alerts, instead of the "
           "defaults.")
      .value_name("NAME=TIME,...")
      .reloads();
  options.add("alert-off", settings.judging.off, "Alerts that never fire.").value_name("NAME,...").reloads();
  options
      .add("alert-keep", settings.judging.keep,
           "An alert is over when its value was at most half of the limit for this long.")
      .range(0, 86'400'000)
      .reloads();
  options
      .add("alert-webhook-url-file", settings.webhook_url_file,
           "File that contains the address to call; by default systemd's credential alert_webhook_url, if it "
           "exists.")
      .value_name("FILE");
  options.add("alert-webhook-format", settings.webhook_format, "Format that the webhook accepts.")
      .one_of({"json", "slack", "discord"});
  options
      .add("alert-webhook-interval-min", settings.webhook_interval_min,
           "Minimum time between two messages; changes during that time go into the next message.")
      .range(1000, 3'600'000);
  options
      .add(
          "alert-webhook-ca-file", settings.webhook_ca_file,
          "PEM file of the certificate authorities to trust for the webhook; by default those of the system.")
      .value_name("FILE");
}

Result<bool> check_alerts(AlertSettings& settings) {
  const auto rules = make_alert_rules(
      {settings.judging.limits, settings.judging.holds, settings.judging.off, settings.judging.keep});
  if (!rules) return rules.error();
  settings.judging.rules = rules.value();
  return make_webhook(settings);
}

}  // namespace mdpipe::agent

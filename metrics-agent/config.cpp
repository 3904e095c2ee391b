#include "metrics-agent/config.hpp"

#include <fmt/format.h>

#include <asio/ip/address.hpp>

#include "libshared/config/secret_file.hpp"
#include "libshared/transport/endpoint.hpp"
#include "metrics-agent/http/basic_auth.hpp"

namespace mdpipe::agent {
namespace {

Result<bool> make_webhook(Config& config) {
  const auto url =
      config::read_secret({"alert-webhook-url-file", "alert_webhook_url", "the address of the webhook"},
                          config.alert_webhook_url_file);
  if (!url) return url.error();
  WebhookOptions& webhook = config.alert_webhook;
  webhook.url = url.value().value_or("");
  if (!webhook.url.empty() && !is_webhook_url(webhook.url)) {
    return Error{ErrorKind::BadConfig,
                 "--alert-webhook-url-file: what the file holds is no address; expected one line such as "
                 "https://host/path (or http://)"};
  }
  webhook.format = *parse_webhook_format(config.alert_webhook_format);
  webhook.interval_min = config.alert_webhook_interval_min;
  webhook.ca_file = config.alert_webhook_ca_file;
  return true;
}

Result<bool> check_alerts(Config& config) {
  const auto rules =
      make_alert_rules({config.alert_limits, config.alert_for, config.alert_off, config.alert_keep});
  if (!rules) return rules.error();
  config.alert_rules = rules.value();
  return make_webhook(config);
}

Result<bool> check_http(const Config& config) {
  asio::error_code ec;
  asio::ip::make_address_v4(config.bind_address, ec);  // Debian's CivetWeb is built without IPv6
  if (ec) {
    return Error{
        ErrorKind::BadConfig,
        fmt::format(
            "--metrics-bind-address '{}': not an IPv4 address; expected one such as 127.0.0.1 or 0.0.0.0",
            config.bind_address)};
  }
  if (!config.basic_auth_file.empty()) {
    if (const auto passwords = PasswordFile::read(config.basic_auth_file); !passwords)
      return passwords.error();
  }
  if (!config.tls.empty()) {
    if (const auto tls = read_tls(config.tls); !tls) return tls.error();
  }
  return true;
}

Result<bool> check(Config& config) {
  if (const auto http = check_http(config); !http) return http.error();
  if (const auto statsd = make_statsd_options(config.statsd); !statsd) return statsd.error();
  if (const auto emf = make_emf_options(config.emf, config.log_level); !emf) return emf.error();
  if (const auto alerts = check_alerts(config); !alerts) return alerts.error();
  if (auto checked = transport::check_endpoint("metrics-endpoint", config.endpoint()); !checked)
    return checked;
  if (auto loaded = config.security.load(); !loaded) return loaded;
  if (auto checked = config.security.check_listening("metrics-endpoint", config.endpoint()); !checked)
    return checked;
  return check_otlp(config.otlp, config.state_dir);
}

void declare_alert_options(config::OptionTable& options, Config& config) {
  options.section("Alerts");
  options.add("alerts", config.alerts, "Watch for trouble: log it, show it as collector_alert_firing.");
  options.add("alert-limits", config.alert_limits, "Other limits than the default ones, by alert.")
      .value_name("NAME=NUMBER,...")
      .reloads();
  options
      .add("alert-for", config.alert_for,
           "How long a limit must be exceeded, other than by default, by alert.")
      .value_name("NAME=TIME,...")
      .reloads();
  options.add("alert-off", config.alert_off, "Alerts that never fire.").value_name("NAME,...").reloads();
  options
      .add("alert-keep", config.alert_keep,
           "An alert is over when its value was at most half of the limit for this long.")
      .range(0, 86'400'000)
      .reloads();
  options
      .add("alert-webhook-url-file", config.alert_webhook_url_file,
           "File that holds the address to call; without it systemd's credential alert_webhook_url, where "
           "there "
           "is one.")
      .value_name("FILE");
  options.add("alert-webhook-format", config.alert_webhook_format, "What the webhook takes.")
      .one_of({"json", "slack", "discord"});
  options
      .add("alert-webhook-interval-min", config.alert_webhook_interval_min,
           "At most one message in this time; what happens meanwhile is in the next.")
      .range(1000, 3'600'000);
  options
      .add("alert-webhook-ca-file", config.alert_webhook_ca_file,
           "Certificate authorities of the webhook, PEM; empty for the system's.")
      .value_name("FILE");
}

}  // namespace

std::string Config::endpoint() const {
  return metrics_endpoint.empty() ? transport::ipc_endpoint(runtime_dir, "metrics") : metrics_endpoint;
}

void declare_options(config::OptionTable& options, Config& config) {
  options.section("Input");
  options
      .add("metrics-endpoint", config.metrics_endpoint,
           "Where components send their metrics; ipc://RUNTIME_DIR/metrics where it is empty.")
      .value_name("ENDPOINT");
  config.security.add_options(options, {false, false, true});
  options.add("runtime-dir", config.runtime_dir, "Folder of the ipc sockets.")
      .env("RUNTIME_DIRECTORY")
      .value_name("DIR");
  options
      .add("component-timeout", config.component_timeout,
           "A component that sends nothing for this long is dead.")
      .range(1000, 3'600'000)
      .reloads();
  options
      .add("series-max", config.series_max,
           "Series kept over all components; further ones are refused and counted.")
      .range(100, 1'000'000);
  options.section("Window log");
  options.add("enable-metrics", config.enable_metrics,
              "False counts and logs nothing; only /healthz is served then.");
  options.add("metrics-interval-seconds", config.interval_seconds, "Length of a window of the log.")
      .range(1, 3600);
  options
      .add("state-dir", config.state_dir,
           "Folder of the file that lets windows go on after a restart; empty for none.")
      .env("STATE_DIRECTORY")
      .value_name("DIR");
  options.section("HTTP");
  options.add("enable-prometheus-metrics", config.enable_prometheus, "Serve /metrics and /healthz.");
  options.add("metrics-bind-address", config.bind_address, "IPv4 address to listen on.")
      .value_name("ADDRESS");
  options.add("metrics-port", config.port, "TCP port to listen on; 0 takes a free one.")
      .range(0, 65'535)
      .value_name("PORT");
  options.add("port-file", config.port_file, "Write the port that was taken to this file.")
      .value_name("FILE");
  options
      .add("metrics-basic-auth-file", config.basic_auth_file,
           "Users and password hashes, USER:HASH a line; /metrics asks for them where it is given.")
      .value_name("FILE");
  options
      .add("metrics-tls-cert-file", config.tls.certificate,
           "Certificate and its chain as PEM; HTTPS is served where it is given.")
      .value_name("FILE");
  options.add("metrics-tls-key-file", config.tls.key, "Private key of the certificate as PEM.")
      .value_name("FILE");
  options.add("metrics-names", config.names, "Names of the metrics on /metrics.").one_of({"collector", "ws"});
  declare_otlp_options(options, config.otlp);
  declare_statsd_options(options, config.statsd);
  declare_emf_options(options, config.emf);
  declare_alert_options(options, config);
  options.section("Logs");
  options.add("log-level", config.log_level, "Least level that is logged.")
      .one_of({"trace", "debug", "info", "warn", "error", "fatal"})
      .reloads();
  options.validate_with([&config] { return check(config); });
}

}  // namespace mdpipe::agent

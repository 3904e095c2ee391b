#include "metrics-agent/config.hpp"

#include <fmt/format.h>

#include <asio/ip/address.hpp>

#include "libshared/transport/endpoint.hpp"
#include "metrics-agent/http/server/basic_auth.hpp"

namespace mdpipe::agent {
namespace {

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
  if (const auto alerts = make_alert_options(config.alerts); !alerts) return alerts.error();
  if (auto checked = transport::check_endpoint("metrics-endpoint", config.endpoint()); !checked)
    return checked;
  if (auto loaded = config.security.load(); !loaded) return loaded;
  if (auto checked = config.security.check_listening("metrics-endpoint", config.endpoint()); !checked)
    return checked;
  if (const auto otlp = make_otlp_options(config.otlp, config.state_dir); !otlp) return otlp.error();
  return true;
}

}  // namespace

std::string Config::endpoint() const {
  return metrics_endpoint.empty() ? transport::ipc_endpoint(runtime_dir, "metrics") : metrics_endpoint;
}

void add_options(config::OptionTable& table, Config& config) {
  table.section("Input");
  table
      .add("metrics-endpoint", config.metrics_endpoint,
           "Where components send their metrics; by default ipc://RUNTIME-DIR/metrics.")
      .value_name("ENDPOINT");
  config.security.add_options(table, {false, false, true});
  table.add("runtime-dir", config.runtime_dir, "Folder of the ipc sockets.")
      .env("RUNTIME_DIRECTORY")
      .value_name("DIR");
  table
      .add("component-timeout", config.component_timeout,
           "A component that sends nothing for this long is down.")
      .range(1000, 3'600'000)
      .reloads();
  table
      .add("series-max", config.series_max,
           "Maximum number of series of all components together; further series are refused and counted.")
      .range(100, 1'000'000);
  table.section("Window log");
  table.add("enable-metrics", config.enable_metrics,
            "Count and log metrics; if false, only /healthz is served.");
  table.add("metrics-interval-seconds", config.interval_seconds, "Length of a window of the log, in seconds.")
      .range(1, 3600);
  table
      .add("state-dir", config.state_dir,
           "Folder of the state file, which continues the windows after a restart; empty for no file.")
      .env("STATE_DIRECTORY")
      .value_name("DIR");
  table.section("HTTP");
  table.add("enable-prometheus-metrics", config.enable_prometheus, "Serve /metrics and /healthz.");
  table.add("metrics-bind-address", config.bind_address, "IPv4 address to listen on.").value_name("ADDRESS");
  table.add("metrics-port", config.port, "TCP port to listen on; 0 chooses a free one.")
      .range(0, 65'535)
      .value_name("PORT");
  table.add("port-file", config.port_file, "Write the port in use to this file.").value_name("FILE");
  table
      .add(
          "metrics-basic-auth-file", config.basic_auth_file,
          "File of users and password hashes, one USER:HASH per line; if set, /metrics requires one of them.")
      .value_name("FILE");
  table
      .add("metrics-tls-cert-file", config.tls.certificate,
           "PEM file of the certificate and its chain; if set, the server uses HTTPS only.")
      .value_name("FILE");
  table.add("metrics-tls-key-file", config.tls.key, "PEM file of the private key of the certificate.")
      .value_name("FILE");
  table.add("metrics-names", config.names, "Names of the metrics on /metrics.").one_of({"collector", "ws"});
  add_otlp_options(table, config.otlp);
  add_statsd_options(table, config.statsd);
  add_emf_options(table, config.emf);
  add_alert_options(table, config.alerts);
  table.section("Logs");
  table.add("log-level", config.log_level, "Lowest level to log.")
      .one_of({"trace", "debug", "info", "warn", "error", "fatal"})
      .reloads();
  table.validate_with([&config] { return check(config); });
}

}  // namespace mdpipe::agent

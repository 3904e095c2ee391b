#pragma once
// Every option of metrics-agent with its default, and the checks that span several of them.
#include <cstdint>
#include <string>

#include "libshared/config/options.hpp"
#include "libshared/transport/security.hpp"
#include "metrics-agent/alerts/alert_config.hpp"
#include "metrics-agent/forward/emf/emf_config.hpp"
#include "metrics-agent/forward/otlp/otlp_config.hpp"
#include "metrics-agent/forward/statsd/statsd_config.hpp"
#include "metrics-agent/http/page/exposition.hpp"
#include "metrics-agent/http/server/tls_context.hpp"

namespace mdpipe::agent {

struct Config {
  std::string runtime_dir = "/run/mdpipe";
  std::string metrics_endpoint;  // empty: ipc in the runtime folder
  std::string state_dir = "/var/lib/mdpipe";
  bool enable_metrics = true;
  std::int64_t interval_seconds = 10;
  config::Milliseconds component_timeout = std::chrono::seconds(5);
  std::int64_t series_max = 50'000;
  bool enable_prometheus = true;
  std::string bind_address = "127.0.0.1";
  std::int64_t port = 9100;
  std::string port_file;
  std::string basic_auth_file;  // empty: no password
  TlsFiles tls;                 // empty: plain HTTP
  std::string names = "collector";
  StatsdConfig statsd;
  EmfConfig emf;
  AlertConfig alerts;
  OtlpConfig otlp;
  transport::Security security;
  std::string log_level = "info";

  [[nodiscard]] std::string endpoint() const;
  [[nodiscard]] NameProfile profile() const {
    return names == "ws" ? NameProfile::Ws : NameProfile::Collector;
  }
};

// Binds `config`, which must outlive the table.
void add_options(config::OptionTable& table, Config& config);

}  // namespace mdpipe::agent

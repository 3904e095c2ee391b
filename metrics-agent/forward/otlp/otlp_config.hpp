#pragma once
// The OpenTelemetry destination: what an operator writes (config), and what is made of it (options).
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libshared/config/options.hpp"
#include "libshared/result/result.hpp"
#include "metrics-agent/forward/otlp/otlp_form.hpp"

namespace mdpipe::agent {

struct OtlpConfig {
  std::string endpoint;  // empty: nothing is sent
  std::string headers_file;
  std::string temporality = "cumulative";
  std::string histograms = "exponential";
  std::string compression = "gzip";
  std::string ca_file;
  std::int64_t interval_seconds = 60;  // OpenTelemetry's own default
  config::Milliseconds timeout = std::chrono::seconds(10);
  std::string service_name = "mdpipe";
  config::StringList resource_attributes;
};

struct OtlpOptions {
  std::string url;                   // where metrics are posted
  std::vector<std::string> headers;  // "Name: value"; secret
  std::string ca_file;               // empty: the system's
  bool is_compressed = true;
  std::chrono::nanoseconds interval{};
  config::Milliseconds timeout{};
  Temporality temporality = Temporality::Cumulative;
  HistogramForm histograms = HistogramForm::Exponential;
  std::string service_name;
  std::vector<std::pair<std::string, std::string>> attributes;  // of the resource, further ones
};

// Binds `config`, which must outlive the table.
void add_otlp_options(config::OptionTable& table, OtlpConfig& config);

// Nothing if no endpoint is configured. `state_dir` is empty if no state is kept. The error names the option
// and the remedy.
Result<std::optional<OtlpOptions>> make_otlp_options(const OtlpConfig& config, const std::string& state_dir);

// "http://host:4318" -> "http://host:4318/v1/metrics"; an address with a path stays as it is.
Result<std::string> otlp_metrics_url(const std::string& endpoint);
// Lines "Name: value"; empty lines and lines that begin with '#' are left out. An error names the number of
// the line, never its text.
Result<std::vector<std::string>> parse_otlp_headers(const std::string& text);

}  // namespace mdpipe::agent

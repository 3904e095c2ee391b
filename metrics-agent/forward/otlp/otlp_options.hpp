#pragma once
// The options of the OpenTelemetry destination, and what they come to once they are checked.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "libshared/config/options.hpp"
#include "libshared/result/result.hpp"

namespace mdpipe::agent {

struct OtlpOptions {
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

  // By check_otlp().
  std::string url;                                              // of the metrics
  std::vector<std::string> headers;                             // of --otlp-headers-file; secret
  std::vector<std::pair<std::string, std::string>> attributes;  // of --otlp-resource-attributes
};

// Binds `options`, which must outlive the table.
void declare_otlp_options(config::OptionTable& table, OtlpOptions& options);

// Refuses what cannot work. `state_dir` is empty where no state is kept.
Result<bool> check_otlp(OtlpOptions& options, const std::string& state_dir);

// "http://host:4318" -> "http://host:4318/v1/metrics"; one that names a path is left as it is.
Result<std::string> otlp_metrics_url(const std::string& endpoint);
// Lines "Name: value"; empty ones and those that begin with '#' are left out. An error names the line, never
// what is in it.
Result<std::vector<std::string>> parse_otlp_headers(const std::string& text);

}  // namespace mdpipe::agent

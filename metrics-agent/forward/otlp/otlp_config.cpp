#include "metrics-agent/forward/otlp/otlp_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>

namespace mdpipe::agent {
namespace {

constexpr std::string_view kMetricsPath = "/v1/metrics";
constexpr std::size_t kHeaderBytesMax = 64U << 10U;
constexpr std::size_t kAttributesMax = 64;

Error bad_otlp(std::string sentence) { return Error{ErrorKind::BadConfig, std::move(sentence)}; }

bool is_header_line(std::string_view line) {
  constexpr std::string_view kPunctuation = "!#$%&'*+-.^_`|~";  // RFC 9110: a token
  const auto is_token = [&](char c) {
    const bool is_alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return is_alphanumeric || kPunctuation.find(c) != std::string_view::npos;
  };
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\t'; };
  const std::size_t colon = line.find(':');
  return colon != std::string_view::npos && colon > 0 &&
         std::all_of(line.begin(), line.begin() + colon, is_token) &&
         line.find_first_not_of(" \t", colon + 1) != std::string_view::npos &&
         std::none_of(line.begin(), line.end(), is_control);
}

Result<std::vector<std::string>> read_headers(const std::string& path) {
  if (path.empty()) return std::vector<std::string>();
  std::ifstream file(path, std::ios::binary);
  std::string text;
  if (file.is_open()) {
    for (std::istreambuf_iterator<char> next(file), end; next != end && text.size() <= kHeaderBytesMax;
         ++next)
      text += *next;
  }
  if (!file.is_open() || file.bad() || text.size() > kHeaderBytesMax)
    return bad_otlp(fmt::format(
        "--otlp-headers-file '{}': cannot be read or is too large; it holds lines 'Name: value'", path));
  return parse_otlp_headers(text);
}

Result<std::vector<std::pair<std::string, std::string>>> parse_attributes(const config::StringList& list) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const std::string& one : list) {
    const std::size_t equals = one.find('=');
    if (equals == std::string::npos || equals == 0 || out.size() >= kAttributesMax)
      return bad_otlp(
          fmt::format("--otlp-resource-attributes '{}': expected at most {} of the form name=value, "
                      "separated by commas",
                      one, kAttributesMax));
    out.emplace_back(one.substr(0, equals), one.substr(equals + 1));
  }
  return out;
}

Result<bool> check_ca_file(const std::string& path) {
  if (path.empty() || std::ifstream(path).is_open()) return true;
  return bad_otlp(
      fmt::format("--otlp-ca-file '{}': cannot be read; name a file of certificates in PEM form", path));
}

}  // namespace

void add_otlp_options(config::OptionTable& table, OtlpConfig& config) {
  table.section("OpenTelemetry");
  table
      .add("otlp-endpoint", config.endpoint,
           "Send metrics by OTLP/HTTP to this address: http(s)://HOST:4318. If it has no path, /v1/metrics "
           "is added. Empty for none.")
      .secrecy(config::Secrecy::Url)
      .value_name("URL");
  table
      .add("otlp-headers-file", config.headers_file,
           "File of headers for each request, such as an API key, one 'Name: value' per line.")
      .value_name("FILE");
  table
      .add("otlp-temporality", config.temporality,
           "cumulative: totals since the beginning; delta: increments since the last point, which need "
           "--state-dir.")
      .one_of({"cumulative", "delta"});
  table.add("otlp-histograms", config.histograms, "Form of the latency histograms.")
      .one_of({"exponential", "explicit"});
  table.add("otlp-compression", config.compression, "Compression of the requests.").one_of({"gzip", "none"});
  table
      .add("otlp-ca-file", config.ca_file,
           "PEM file of the certificate authorities to trust for the receiver; by default those of the "
           "system.")
      .value_name("FILE");
  table
      .add("otlp-interval-seconds", config.interval_seconds,
           "Send at least this many seconds apart, always at the end of a window.")
      .range(1, 3600);
  table.add("otlp-timeout", config.timeout, "If a request is not answered within this time, it has failed.")
      .range(100, 300'000);
  table.add("otlp-service-name", config.service_name, "The attribute service.name.").value_name("NAME");
  table
      .add(
          "otlp-resource-attributes", config.resource_attributes,
          "More attributes of the resource, or other values for the existing ones, as name=value,name=value.")
      .value_name("LIST");
}

Result<std::optional<OtlpOptions>> make_otlp_options(const OtlpConfig& config, const std::string& state_dir) {
  if (config.endpoint.empty()) return std::optional<OtlpOptions>();
  auto url = otlp_metrics_url(config.endpoint);
  if (!url) return url.error();
  if (config.temporality == "delta" && state_dir.empty())
    return bad_otlp(
        "--otlp-temporality delta needs --state-dir: without it a restart would send everything once more; "
        "name a folder, or use cumulative");
  auto headers = read_headers(config.headers_file);
  if (!headers) return headers.error();
  auto attributes = parse_attributes(config.resource_attributes);
  if (!attributes) return attributes.error();
  if (config.service_name.empty())
    return bad_otlp("--otlp-service-name is empty; name the service, such as mdpipe");
  if (const auto ca_file = check_ca_file(config.ca_file); !ca_file) return ca_file.error();
  OtlpOptions options;
  options.url = std::move(url.value());
  options.headers = std::move(headers.value());
  options.ca_file = config.ca_file;
  options.is_compressed = config.compression == "gzip";
  options.interval = std::chrono::seconds(config.interval_seconds);
  options.timeout = config.timeout;
  options.temporality = config.temporality == "delta" ? Temporality::Delta : Temporality::Cumulative;
  options.histograms = config.histograms == "explicit" ? HistogramForm::Explicit : HistogramForm::Exponential;
  options.service_name = config.service_name;
  options.attributes = std::move(attributes.value());
  return std::optional<OtlpOptions>(std::move(options));
}

Result<std::string> otlp_metrics_url(const std::string& endpoint) {
  std::size_t host = 0;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (endpoint.compare(0, scheme.size(), scheme) == 0) host = scheme.size();
  }
  const bool has_spaces = std::any_of(endpoint.begin(), endpoint.end(),
                                      [](char c) { return static_cast<unsigned char>(c) <= 0x20; });
  const std::size_t path = endpoint.find_first_of("/?#", host);
  if (host == 0 || has_spaces || path == host || endpoint.size() == host)
    return bad_otlp(fmt::format(
        "--otlp-endpoint '{}': expected http://HOST:PORT or https://HOST:PORT, with or without a path",
        config::mask_url(endpoint)));
  if (path == std::string::npos) return endpoint + std::string(kMetricsPath);
  if (path + 1 == endpoint.size() && endpoint[path] == '/')
    return endpoint.substr(0, path) + std::string(kMetricsPath);
  return endpoint;
}

Result<std::vector<std::string>> parse_otlp_headers(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    if (!is_header_line(line))
      return bad_otlp(fmt::format("--otlp-headers-file: line {} is not of the form 'Name: value'", number));
    out.push_back(line);
  }
  return out;
}

}  // namespace mdpipe::agent

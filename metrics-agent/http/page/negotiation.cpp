#include "metrics-agent/http/page/negotiation.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "libshared/text/ascii.hpp"

namespace mdpipe::agent {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Returns the text before the next separator, and removes both.
std::string_view split_off(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = trimmed(text.substr(0, end));
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

// One element of an Accept or Accept-Encoding header: "text/plain;version=0.0.4;q=0.5".
struct Preference {
  std::string name, version;
  double quality = 1;
};

Preference parse_preference(std::string_view element) {
  Preference out;
  out.name = ascii::lower(split_off(element, ';'));
  while (!element.empty()) {
    std::string_view value = split_off(element, ';');
    const std::string key = ascii::lower(split_off(value, '='));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    if (key == "version") out.version = value;
    if (key == "q") out.quality = std::strtod(std::string(value).c_str(), nullptr);
  }
  return out;
}

// Whether the element asks for this format.
bool matches(const Preference& wanted, TextFormat format) {
  const auto is_version = [&](std::string_view version) {
    return wanted.version.empty() || wanted.version == version;
  };
  if (wanted.name == "application/openmetrics-text") {
    if (format == TextFormat::OpenMetrics100) return is_version("1.0.0");
    return format == TextFormat::OpenMetrics001 && wanted.version == "0.0.1";
  }
  if (format != TextFormat::Prometheus) return false;
  if (wanted.name == "text/plain") return is_version("0.0.4");
  return wanted.name == "*/*" || wanted.name == "text/*";
}

}  // namespace

TextFormat negotiate_format(std::string_view accept) {
  TextFormat best = TextFormat::Prometheus;
  double best_quality = 0;
  while (!accept.empty()) {
    const Preference wanted = parse_preference(split_off(accept, ','));
    for (const TextFormat format :
         {TextFormat::Prometheus, TextFormat::OpenMetrics001, TextFormat::OpenMetrics100}) {
      const bool is_better =
          wanted.quality > best_quality || (wanted.quality == best_quality && format > best);
      if (!matches(wanted, format) || wanted.quality <= 0 || !is_better) continue;
      best = format;
      best_quality = wanted.quality;
    }
  }
  return best;
}

bool accepts_gzip(std::string_view accept_encoding) {
  while (!accept_encoding.empty()) {
    const Preference wanted = parse_preference(split_off(accept_encoding, ','));
    if (wanted.name == "gzip" || wanted.name == "x-gzip") return wanted.quality > 0;
  }
  return false;
}

std::string_view content_type(TextFormat format) {
  switch (format) {
    case TextFormat::Prometheus:
      return "text/plain; version=0.0.4; charset=utf-8";
    case TextFormat::OpenMetrics001:
      return "application/openmetrics-text; version=0.0.1; charset=utf-8";
    case TextFormat::OpenMetrics100:
      return "application/openmetrics-text; version=1.0.0; charset=utf-8";
  }
  return {};
}

}  // namespace mdpipe::agent

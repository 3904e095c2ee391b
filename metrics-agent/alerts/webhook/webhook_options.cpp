#include "metrics-agent/alerts/webhook/webhook_options.hpp"

#include <algorithm>

namespace mdpipe::agent {

std::optional<WebhookFormat> parse_webhook_format(std::string_view name) {
  if (name == "json") return WebhookFormat::Json;
  if (name == "slack") return WebhookFormat::Slack;
  if (name == "discord") return WebhookFormat::Discord;
  return std::nullopt;
}

bool is_webhook_url(std::string_view url) {
  constexpr std::string_view kSchemes[] = {"http://", "https://"};
  const auto is_graphic = [](char c) { return c > ' ' && c < '\x7f'; };
  return std::all_of(url.begin(), url.end(), is_graphic) &&
         std::any_of(std::begin(kSchemes), std::end(kSchemes), [url](std::string_view scheme) {
           return url.substr(0, scheme.size()) == scheme && url.size() > scheme.size() &&
                  url[scheme.size()] != '/';
         });
}

std::string webhook_host(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  const std::string_view rest = url.substr(scheme + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  const std::size_t at = authority.rfind('@');
  return std::string(url.substr(0, scheme + 3))
      .append(at == std::string_view::npos ? authority : authority.substr(at + 1));
}

}  // namespace mdpipe::agent

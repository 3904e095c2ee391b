#pragma once
// Whom the alerts are told to.
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace mdpipe::agent {

enum class WebhookFormat { Json, Slack, Discord };

struct WebhookOptions {
  std::string url;  // whoever knows it may write there: a secret
  WebhookFormat format = WebhookFormat::Json;
  std::chrono::nanoseconds interval_min = std::chrono::seconds(30);
  std::string ca_file;  // empty: the system's
};

// "json", "slack", "discord"
std::optional<WebhookFormat> parse_webhook_format(std::string_view name);

// One http or https address in printable ASCII without spaces.
bool is_webhook_url(std::string_view url);

// "https://hooks.example:8443" of an address: what may be logged.
std::string webhook_host(std::string_view url);

}  // namespace mdpipe::agent

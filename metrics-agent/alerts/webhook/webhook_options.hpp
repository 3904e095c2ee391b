#pragma once
// The webhook that alerts are sent to.
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace mdpipe::agent {

enum class WebhookFormat { Json, Slack, Discord };

struct WebhookOptions {
  std::string url;  // a secret: who knows it can write to the receiver
  WebhookFormat format = WebhookFormat::Json;
  std::chrono::nanoseconds interval_min = std::chrono::seconds(30);
  std::string ca_file;  // empty: the system's
};

// "json", "slack", "discord"
std::optional<WebhookFormat> parse_webhook_format(std::string_view name);

// One http or https address in printable ASCII without spaces.
bool is_webhook_url(std::string_view url);

// "https://hooks.example:8443" of an address; this part may be logged.
std::string webhook_host(std::string_view url);

}  // namespace mdpipe::agent

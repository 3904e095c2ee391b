#pragma once
// The body of a webhook call for what the alerts have to say: our own JSON, or what Slack or Discord shows as
// a message. Text of others (labels) is escaped so that it stays text, and a message keeps within what they
// take. Pure.
#include <string>
#include <string_view>
#include <vector>

#include "metrics-agent/alerts/rules/alert_book.hpp"
#include "metrics-agent/alerts/webhook/webhook_options.hpp"

namespace mdpipe::agent {

struct MessageContext {
  std::string_view host;  // whose metrics-agent speaks
  UnixNanos now;
};

std::string webhook_body(WebhookFormat format, const std::vector<AlertReport>& reports,
                         const MessageContext& context);

}  // namespace mdpipe::agent

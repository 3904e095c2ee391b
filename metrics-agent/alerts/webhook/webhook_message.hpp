#pragma once
// The body of a webhook call for a list of reports: our own JSON, or a message of Slack or Discord. Text from
// outside (labels) is escaped so that it stays text, and a message keeps to the receiver's size limits. Pure.
#include <string>
#include <string_view>
#include <vector>

#include "metrics-agent/alerts/rules/alert_book.hpp"
#include "metrics-agent/alerts/webhook/webhook_options.hpp"

namespace mdpipe::agent {

struct MessageContext {
  std::string_view host;  // the host of this metrics-agent
  UnixNanos now;
};

std::string webhook_body(WebhookFormat format, const std::vector<AlertReport>& reports,
                         const MessageContext& context);

}  // namespace mdpipe::agent

#include "metrics-agent/alerts/webhook/webhook_message.hpp"

#include <fmt/format.h>

#include <cmath>

#include "libshared/json/json_string.hpp"
#include "libshared/json/json_writer.hpp"
#include "metrics-agent/window/window_log.hpp"

namespace mdpipe::agent {
namespace {

// A message may contain bytes of an exchange, and receivers refuse text that is not UTF-8: hence valid_utf8.

// Slack once asked for at most 4,000 bytes of text, and cuts off what is beyond 40,000 characters:
// https://api.slack.com/changelog/2018-04-truncating-really-long-messages
constexpr std::size_t kSlackBytesMax = 4000;
// Discord refuses a content of more than 2,000 characters:
// https://discord.com/developers/docs/resources/webhook#execute-webhook
constexpr std::size_t kDiscordBytesMax = 2000;
constexpr std::size_t kRestBytes = 80;      // "and N more ..."
constexpr std::size_t kSubjectBytes = 400;  // of the names in one line
constexpr std::size_t kSecondChars = 19;    // "2026-11-25T10:00:00"

std::string to_second(UnixNanos time) { return to_iso8601(time).substr(0, kSecondChars) + 'Z'; }

void write_report(const AlertReport& report, JsonWriter& json) {
  const AlertInfo& alert = info(report.alert);
  json.begin_object().member("alert", alert.name).member("status", report.is_over ? "over" : "firing");
  json.member("severity", to_string(alert.severity)).member("summary", alert.meaning);
  json.member("value", report.value).member("limit", report.limit);
  json.member("since", to_second(report.since)).member("firing", report.firing);
  json.key("subjects").begin_array();
  for (const std::string& subject : report.subjects) json.value(valid_utf8(subject));
  json.end_array().member("subjects_more", report.subjects_more);
  json.member("runbook", runbook_entry(report.alert)).end_object();
}

std::string json_body(const std::vector<AlertReport>& reports, const MessageContext& context) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("version", 1).member("host", valid_utf8(context.host));
  json.member("time", to_second(context.now)).key("alerts").begin_array();
  for (const AlertReport& report : reports) write_report(report, json);
  json.end_array().end_object();
  return out;
}

// The three characters with a meaning in Slack's text:
// https://docs.slack.dev/messaging/formatting-message-text#escaping
std::string slack_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else {
      out += c;
    }
  }
  return out;
}

// Discord's text is Markdown; these are the marks with a meaning inside a line.
std::string discord_text(std::string_view text) {
  constexpr std::string_view kMarks = R"(\*_~`|[]()<>@)";
  std::string out;
  for (const char c : text) {
    if (kMarks.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

using Escape = std::string (*)(std::string_view);

std::string subjects_text(const AlertReport& report, Escape escape) {
  std::string out;
  std::size_t left = report.subjects.size() + report.subjects_more;
  for (const std::string& subject : report.subjects) {
    const std::string text = escape(valid_utf8(subject));
    if (out.size() + text.size() > kSubjectBytes) break;
    out.append(out.empty() ? "" : ", ").append(text);
    --left;
  }
  if (left > 0) out += fmt::format("{}{}", out.empty() ? "" : " and ", left) + (out.empty() ? "" : " more");
  return out;
}

// "FIRING MdpipeBacklog (warning): events that Redis has not confirmed: gmo. Value 12000, limit 10000. Since
// 2026-11-25T10:00:00Z. docs/runbook.md#mdpipebacklog"
std::string chat_line(const AlertReport& report, Escape escape) {
  const AlertInfo& alert = info(report.alert);
  std::string out =
      fmt::format("{} {} ({}): {}: {}.", report.is_over ? "OVER" : "FIRING", alert.name,
                  to_string(alert.severity), escape(alert.meaning), subjects_text(report, escape));
  if (!report.is_over && alert.has_limit && std::isfinite(report.value))
    out += fmt::format(" Value {}, limit {}.", three_digits(report.value), three_digits(report.limit));
  out += fmt::format(" Since {}.", escape(to_second(report.since)));
  if (report.is_over && report.firing > 0) out += fmt::format(" Still firing for {}.", report.firing);
  if (!report.is_over) out.append(" ").append(escape(runbook_entry(report.alert)));
  return out;
}

std::string chat_text(const std::vector<AlertReport>& reports, const MessageContext& context,
                      std::size_t bytes_max, Escape escape) {
  std::string out = fmt::format("mdpipe on {}", escape(valid_utf8(context.host)));
  for (std::size_t i = 0; i < reports.size(); ++i) {
    const std::string line = chat_line(reports[i], escape);
    if (out.size() + 1 + line.size() + kRestBytes > bytes_max) {
      out += fmt::format("\nand {} more, which are in the log of metrics-agent", reports.size() - i);
      break;
    }
    out.append("\n").append(line);
  }
  return out;
}

}  // namespace

std::string webhook_body(WebhookFormat format, const std::vector<AlertReport>& reports,
                         const MessageContext& context) {
  std::string out;
  JsonWriter json(out);
  switch (format) {
    case WebhookFormat::Json:
      return json_body(reports, context);
    case WebhookFormat::Slack: {
      const std::string text = chat_text(reports, context, kSlackBytesMax, slack_text);
      json.begin_object().member("text", valid_utf8(text)).member("mrkdwn", false).end_object();
      break;
    }
    case WebhookFormat::Discord: {
      const std::string text = chat_text(reports, context, kDiscordBytesMax, discord_text);
      json.begin_object().member("content", valid_utf8(text));
      // A label must not mention (notify) anybody.
      json.key("allowed_mentions")
          .begin_object()
          .key("parse")
          .begin_array()
          .end_array()
          .end_object()
          .end_object();
      break;
    }
  }
  return out;
}

}  // namespace mdpipe::agent

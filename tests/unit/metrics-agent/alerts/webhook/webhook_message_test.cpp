#include "metrics-agent/alerts/webhook/webhook_message.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <limits>

#include "tests/unit/metrics-agent/fake_component.hpp"

namespace mdpipe::agent {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

AlertReport backlog() {
  AlertReport report;
  report.alert = AlertId::Backlog;
  report.subjects = {"gmo"};
  report.value = 12'000;
  report.limit = 10'000;
  report.since = at(0).wall;
  report.firing = 1;
  return report;
}

AlertReport over() {
  AlertReport report = backlog();
  report.alert = AlertId::ExchangeDown;
  report.is_over = true;
  report.firing = 2;
  return report;
}

// The text that the receiver shows, as its JSON parser reads it.
std::string text(WebhookFormat format, const std::vector<AlertReport>& reports) {
  simdjson::dom::parser parser;
  const std::string body = webhook_body(format, reports, {"vps-1", at(90).wall});
  const simdjson::dom::element document = parser.parse(body);
  const std::string_view value = document[format == WebhookFormat::Slack ? "text" : "content"];
  return std::string(value);
}

TEST(WebhookMessage, our_own_form) {
  AlertReport report = backlog();
  report.subjects = {"gmo", "a \"quoted\" \xff"};
  report.subjects_more = 3;
  EXPECT_EQ(webhook_body(WebhookFormat::Json, {report}, {"vps-1", at(90).wall}),
            R"({"version":1,"host":"vps-1","time":"2023-11-14T22:14:50Z","alerts":[)"
            R"({"alert":"MdpipeBacklog","status":"firing","severity":"warning",)"
            R"("summary":"events that Redis has not confirmed","value":12000,"limit":10000,)"
            R"("since":"2023-11-14T22:13:20Z","firing":1,"subjects":["gmo","a \"quoted\" )"
            "\xef\xbf\xbd"
            R"("],"subjects_more":3,"runbook":"docs/runbook.md#mdpipebacklog"}]})");
}

TEST(WebhookMessage, numbers_that_json_does_not_have_are_null) {
  AlertReport report = backlog();
  report.value = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(webhook_body(WebhookFormat::Json, {report, over()}, {"h", {}}), HasSubstr(R"("value":null)"));
}

TEST(WebhookMessage, slack_reads_one_line_an_alert) {
  EXPECT_EQ(text(WebhookFormat::Slack, {backlog(), over()}),
            "mdpipe on vps-1\n"
            "FIRING MdpipeBacklog (warning): events that Redis has not confirmed: gmo. Value 12000, limit "
            "10000. Since 2023-11-14T22:13:20Z. docs/runbook.md#mdpipebacklog\n"
            "OVER MdpipeExchangeDown (critical): no connection to the exchange: gmo. Since "
            "2023-11-14T22:13:20Z. Still firing for 2.");
}

TEST(WebhookMessage, labels_cannot_speak_to_slack) {
  AlertReport report = backlog();
  report.subjects = {"<!channel> & <https://x|y>"};
  EXPECT_THAT(text(WebhookFormat::Slack, {report}), HasSubstr("&lt;!channel&gt; &amp; &lt;https://x|y&gt;"));
  EXPECT_THAT(webhook_body(WebhookFormat::Slack, {report}, {"h", {}}), HasSubstr(R"("mrkdwn":false)"));
}

TEST(WebhookMessage, labels_cannot_speak_to_discord) {
  AlertReport report = backlog();
  report.subjects = {"BTC_JPY @everyone [x](y) `"};
  EXPECT_THAT(text(WebhookFormat::Discord, {report}), HasSubstr(R"(BTC\_JPY \@everyone \[x\]\(y\) \`)"));
  EXPECT_THAT(webhook_body(WebhookFormat::Discord, {report}, {"h", {}}),
              HasSubstr(R"("allowed_mentions":{"parse":[]})"));
}

TEST(WebhookMessage, subjects_that_do_not_fit_are_counted) {
  AlertReport report = backlog();
  report.subjects.assign(20, std::string(150, 's'));
  report.subjects_more = 100;
  EXPECT_THAT(text(WebhookFormat::Slack, {report}), HasSubstr("s and 118 more."));
}

TEST(WebhookMessage, keeps_within_what_the_receiver_takes) {
  AlertReport report = backlog();
  report.subjects.assign(20, std::string(60, '_'));
  report.subjects_more = 100'000;
  const std::vector<AlertReport> reports(2 * kAlerts.size(), report);
  const std::string slack = text(WebhookFormat::Slack, reports);
  const std::string discord = text(WebhookFormat::Discord, reports);
  EXPECT_LE(slack.size(), 4000U);
  EXPECT_LE(discord.size(), 2000U);
  for (const std::string& shown : {slack, discord}) {
    EXPECT_THAT(shown, StartsWith("mdpipe on vps"));
    EXPECT_THAT(shown, HasSubstr("FIRING MdpipeBacklog"));
    EXPECT_THAT(shown, HasSubstr("more, which are in the log"));
  }
}

TEST(WebhookOptions, only_addresses_are_taken) {
  for (const char* url : {"https://hooks.slack.com/services/T/B/x", "http://127.0.0.1:9/x", "https://h"})
    EXPECT_TRUE(is_webhook_url(url)) << url;
  for (const char* url : {"", "hooks.slack.com", "ftp://h/x", "https://", "https:///x", "https://h/a b",
                          "https://h/x\nhttps://h/y", "https://h/\xc3\xa9"})
    EXPECT_FALSE(is_webhook_url(url)) << url;
}

TEST(WebhookOptions, only_the_host_is_logged) {
  EXPECT_EQ(webhook_host("https://hooks.slack.com/services/T/B/x"), "https://hooks.slack.com");
  EXPECT_EQ(webhook_host("https://user:secret@h:1/x@y"), "https://h:1");
  EXPECT_EQ(webhook_host("https://h?token=x"), "https://h");
  EXPECT_EQ(webhook_host("https://h#x@y"), "https://h");
}

}  // namespace
}  // namespace mdpipe::agent

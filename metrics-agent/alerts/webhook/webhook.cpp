#include "metrics-agent/alerts/webhook/webhook.hpp"

#include <unistd.h>

#include <array>
#include <utility>

#include "metrics-agent/alerts/webhook/webhook_message.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;

constexpr std::size_t kHostNameBytes = 65;           // POSIX's limit and its end
constexpr std::size_t kAnswerBytesMax = 64U << 10U;  // the answer is not read

http::ClientOptions client_options(const WebhookOptions& options) {
  http::ClientOptions out;
  out.ca_file = options.ca_file;
  out.connect_timeout = std::chrono::seconds(5);
  out.timeout = std::chrono::seconds(10);
  out.answer_bytes_max = kAnswerBytesMax;
  return out;
}

std::string host_name() {
  std::array<char, kHostNameBytes> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

}  // namespace

Webhook::Webhook(asio::io_context& io, WebhookOptions options, AlertBook& book,
                 metrics::MetricsCollector& collector)
    : options_(std::move(options)),
      book_(book),
      collector_(collector),
      sent_(collector.series(Metric::AlertNotifications, {"sent"})),
      failed_(collector.series(Metric::AlertNotifications, {"failed"})),
      rate_limited_(collector.series(Metric::AlertNotifications, {"rate_limited"})),
      dropped_(collector.series(Metric::AlertNotifications, {"dropped"})),
      pace_(options_.interval_min),
      client_(io, client_options(options_)),
      host_(host_name()) {}

void Webhook::tick(Moment now) {
  if (client_.is_busy() || !pace_.may_send(now.steady) || !book_.has_undelivered()) return;
  http::Request request;
  request.method = http::Request::Method::Post;
  request.url = options_.url;
  request.headers = {"Content-Type: application/json"};
  request.body = webhook_body(options_.format, book_.begin_delivery(), {host_, now.wall});
  client_.send(std::move(request), [this](const http::Response& response) { on_answer(response); });
}

void Webhook::on_answer(const http::Response& response) {
  const SteadyTime now = steady_now();
  const WebhookVerdict verdict = webhook_verdict(response.error.empty() ? response.status : 0);
  pace_.on_answer(verdict, response.retry_after, now);
  const bool is_to_be_tried = verdict == WebhookVerdict::Failed || verdict == WebhookVerdict::RateLimited;
  if (is_to_be_tried) {
    book_.not_delivered();
  } else {
    book_.delivered();
  }
  count(verdict);
  log_answer(verdict, response, now);
}

void Webhook::count(WebhookVerdict verdict) {
  switch (verdict) {
    case WebhookVerdict::Sent:
      return collector_.add(sent_);
    case WebhookVerdict::Failed:
      return collector_.add(failed_);
    case WebhookVerdict::RateLimited:
      return collector_.add(rate_limited_);
    case WebhookVerdict::Refused:
      return collector_.add(dropped_);
  }
}

// The answer's body is not logged, because an error page may repeat the address.
void Webhook::log_answer(WebhookVerdict verdict, const http::Response& response, SteadyTime now) {
  if (verdict == WebhookVerdict::Sent) {
    if (std::exchange(is_failing_, false)) log::info("the alert webhook accepts messages again");
    return;
  }
  is_failing_ = true;
  if (verdict == WebhookVerdict::Refused) {
    return log::error(
        "the alert webhook refused a message, which is dropped; see --alert-webhook-url-file and "
        "--alert-webhook-format",
        {{"status", response.status}, {"receiver", webhook_host(options_.url)}});
  }
  if (const auto suppressed = failure_limit_.admit(now)) {
    log::warn("the alert webhook failed; the next attempt sends all changes up to then",
              {{"status", response.status},
               {"why", response.error},
               {"receiver", webhook_host(options_.url)},
               {"suppressed", *suppressed}});
  }
}

}  // namespace mdpipe::agent

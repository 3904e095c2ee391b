#pragma once
// Sends the changes in the alert book to the webhook: one request at a time in the program's loop, at most
// one a second. Nothing is queued: a change that was not delivered is still in the book. The address is a
// secret and appears in no log line.
#include <asio/io_context.hpp>
#include <chrono>
#include <string>

#include "libshared/http/client.hpp"
#include "libshared/log/log.hpp"
#include "libshared/metrics/collector.hpp"
#include "metrics-agent/alerts/rules/alert_book.hpp"
#include "metrics-agent/alerts/webhook/webhook_options.hpp"
#include "metrics-agent/alerts/webhook/webhook_pace.hpp"

namespace mdpipe::agent {

class Webhook {
 public:
  // Borrows the book and the collector. Throws process::StartupError if libcurl cannot be loaded.
  Webhook(asio::io_context& io, WebhookOptions options, AlertBook& book,
          metrics::MetricsCollector& collector);

  // Sends the changes that were not delivered, if it is time.
  void tick(Moment now);
  [[nodiscard]] bool is_idle() const { return !client_.is_busy(); }

 private:
  void on_answer(const http::Response& response);
  void count(WebhookVerdict verdict);
  void log_answer(WebhookVerdict verdict, const http::Response& response, SteadyTime now);

  WebhookOptions options_;
  AlertBook& book_;
  metrics::MetricsCollector& collector_;
  metrics::Series sent_, failed_, rate_limited_, dropped_;
  WebhookPace pace_;
  http::Client client_;
  std::string host_;  // name of this machine
  bool is_failing_ = false;
  log::RateLimit failure_limit_{std::chrono::minutes(1)};
};

}  // namespace mdpipe::agent

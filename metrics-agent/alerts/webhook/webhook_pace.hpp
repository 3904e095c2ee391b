#pragma once
// When the webhook may be called again, and what an answer means. If a receiver is unreachable or busy, the
// call is repeated at growing intervals; a message that it refuses is not sent twice. Pure.
#include <algorithm>
#include <chrono>

#include "libshared/time/time.hpp"

namespace mdpipe::agent {

enum class WebhookVerdict { Sent, Failed, RateLimited, Refused };

// `status` is HTTP's, 0 if there was no answer.
constexpr WebhookVerdict webhook_verdict(int status) {
  constexpr int kRequestTimeout = 408, kTooEarly = 425, kTooManyRequests = 429;
  if (status >= 200 && status < 300) return WebhookVerdict::Sent;
  if (status == kTooManyRequests) return WebhookVerdict::RateLimited;
  if (status == 0 || status >= 500 || status == kRequestTimeout || status == kTooEarly)
    return WebhookVerdict::Failed;
  return WebhookVerdict::Refused;  // also a redirect: the configured address is wrong
}

class WebhookPace {
 public:
  explicit WebhookPace(std::chrono::nanoseconds interval_min) : interval_min_(interval_min) {}

  [[nodiscard]] bool may_send(SteadyTime now) const { return now >= next_; }

  // `retry_after` is the delay that the receiver asked for; at most one hour of it is respected.
  void on_answer(WebhookVerdict verdict, std::chrono::seconds retry_after, SteadyTime now) {
    const bool is_to_be_tried = verdict == WebhookVerdict::Failed || verdict == WebhookVerdict::RateLimited;
    const std::chrono::nanoseconds backoff =
        std::min<std::chrono::seconds>(kBackoffMin * (1U << failures_), kBackoffMax);
    const std::chrono::nanoseconds asked =
        std::clamp<std::chrono::nanoseconds>(retry_after, {}, kRetryAfterMax);
    next_ = now + (is_to_be_tried ? std::max(backoff, asked) : interval_min_);
    failures_ = is_to_be_tried ? std::min(failures_ + 1, kDoublingsMax) : 0;
  }

 private:
  static constexpr std::chrono::seconds kBackoffMin{1};
  static constexpr std::chrono::seconds kBackoffMax{300};
  static constexpr std::chrono::seconds kRetryAfterMax{3600};
  static constexpr unsigned kDoublingsMax = 9;  // beyond kBackoffMax

  std::chrono::nanoseconds interval_min_;
  SteadyTime next_{};
  unsigned failures_ = 0;
};

}  // namespace mdpipe::agent

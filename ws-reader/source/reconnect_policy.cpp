#include "ws-reader/source/reconnect_policy.hpp"

#include <algorithm>

namespace mdpipe::reader {
namespace {

using std::chrono::milliseconds;

// A connection that was open for this long was a good one: it resets the count of failures.
constexpr milliseconds kLasting = std::chrono::seconds(10);
constexpr int kTooManyRequests = 429;
constexpr int kServiceUnavailable = 503;
// For 429 and 503 without Retry-After.
constexpr milliseconds kTooManyRequestsMin = std::chrono::seconds(30);
constexpr milliseconds kServiceUnavailableMin = std::chrono::seconds(5);
constexpr milliseconds kRetryAfterMax = std::chrono::hours(1);

milliseconds server_minimum(const EndedConnection& ended) {
  if (ended.retry_after) return std::min<milliseconds>(*ended.retry_after, kRetryAfterMax);
  if (ended.http_status == kTooManyRequests) return kTooManyRequestsMin;
  if (ended.http_status == kServiceUnavailable) return kServiceUnavailableMin;
  return milliseconds(0);
}

}  // namespace

milliseconds ReconnectPolicy::next_delay(const EndedConnection& ended, double random) {
  if (ended.open_for >= kLasting) failures_ = 0;
  const unsigned failures = failures_++;
  milliseconds ceiling{0};  // the first try is immediate
  if (failures > 0) {
    constexpr unsigned kDoublingsMax = 30;
    const auto doubled = limits_.delay_min * (1LL << std::min(failures - 1, kDoublingsMax));
    ceiling = std::min<milliseconds>(doubled, limits_.delay_max);
  }
  const auto jittered =
      milliseconds(static_cast<milliseconds::rep>(random * static_cast<double>(ceiling.count())));
  // Readers that were refused at the same time must not all retry at the same time.
  const milliseconds least = server_minimum(ended);
  return least.count() > 0 ? least + milliseconds(static_cast<milliseconds::rep>(random * 1000)) + jittered
                           : jittered;
}

}  // namespace mdpipe::reader

#include "metrics-agent/forward/otlp/otlp_retry.hpp"

#include <algorithm>
#include <utility>

namespace mdpipe::agent {

std::chrono::milliseconds OtlpRetry::on_failure(std::chrono::seconds retry_after, double random) {
  constexpr int kDoublingsMax = 6;  // 64 s are beyond kMax
  const auto whole = std::min(kMax, kFirst * (1 << std::min(failures_, kDoublingsMax)));
  ++failures_;
  ++attempts_;
  if (retry_after.count() > 0) {  // never sooner, and not all agents at the same moment
    const std::chrono::milliseconds asked = std::min(retry_after, kRetryAfterMax);
    return asked + std::chrono::milliseconds(static_cast<int>(random * 1'000));
  }
  return std::chrono::milliseconds(static_cast<int>(static_cast<double>(whole.count()) * (0.5 + random / 2)));
}

int OtlpRetry::on_success() {
  attempts_ = 0;
  return std::exchange(failures_, 0);
}

}  // namespace mdpipe::agent

#pragma once
// How long to wait after a failed request: the delay that the receiver asks for, otherwise a backoff that
// doubles, with jitter. The backoff continues from request to request until one is accepted. Pure.
#include <chrono>

namespace mdpipe::agent {

class OtlpRetry {
 public:
  static constexpr std::chrono::milliseconds kFirst{1'000};
  static constexpr std::chrono::milliseconds kMax{60'000};
  // If the receiver asks for a longer delay, this one is used.
  static constexpr std::chrono::seconds kRetryAfterMax{600};
  // After this many attempts with the same bytes, the counts go into a newer request.
  static constexpr int kAttemptsMax = 5;

  void begin_request() { attempts_ = 0; }
  // `retry_after` is 0 if the receiver has not asked for a delay; `random` is in [0, 1).
  std::chrono::milliseconds on_failure(std::chrono::seconds retry_after, double random);
  // Returns how many requests had failed in a row.
  int on_success();
  [[nodiscard]] bool gives_up() const { return attempts_ >= kAttemptsMax; }
  [[nodiscard]] int failures() const { return failures_; }

 private:
  int failures_ = 0;  // in a row
  int attempts_ = 0;  // of the request
};

}  // namespace mdpipe::agent

#pragma once
// How long to wait after a request that came to nothing: what the receiver asks for, otherwise a backoff that
// doubles, with jitter. It goes on over requests, and begins anew once one is taken. Pure.
#include <chrono>

namespace mdpipe::agent {

class OtlpRetry {
 public:
  static constexpr std::chrono::milliseconds kFirst{1'000};
  static constexpr std::chrono::milliseconds kMax{60'000};
  // A receiver that asks for more is asked again after this all the same.
  static constexpr std::chrono::seconds kRetryAfterMax{600};
  // So often the very same bytes are sent before their counts go back, to leave together with newer ones.
  static constexpr int kAttemptsMax = 5;

  void begin_request() { attempts_ = 0; }
  // `retry_after` is 0 where the receiver has asked for nothing; `random` is in [0, 1).
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

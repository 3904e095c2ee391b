#pragma once
// Decides how long to wait before the next attempt to connect to the exchange: the first attempt is
// immediate, then the delay grows exponentially with full jitter, and it is never shorter than what the
// server asked for. Pure: facts and a random number in, a delay out.
#include <chrono>
#include <optional>

namespace mdpipe::reader {

struct ReconnectLimits {
  std::chrono::milliseconds delay_min{500};
  std::chrono::milliseconds delay_max{60'000};
};

// What is known about a connection that ended.
struct EndedConnection {
  std::chrono::milliseconds open_for{0};  // 0 if it never opened
  int http_status = 0;                    // of a refused upgrade
  std::optional<std::chrono::seconds> retry_after;
};

class ReconnectPolicy {
 public:
  explicit ReconnectPolicy(ReconnectLimits limits) : limits_(limits) {}

  // `random` lies in [0, 1).
  std::chrono::milliseconds next_delay(const EndedConnection& ended, double random);

  [[nodiscard]] unsigned failures() const { return failures_; }

 private:
  ReconnectLimits limits_;
  unsigned failures_ = 0;  // attempts in a row without a connection that lasted
};

}  // namespace mdpipe::reader

#pragma once
// How long to wait before the next try to reach the exchange: not at all the first time, then an
// exponentially growing span with full jitter, never less than what the server asked for. Pure: facts and a
// random number in, a delay out.
#include <chrono>
#include <optional>

namespace mdpipe::reader {

struct ReconnectLimits {
  std::chrono::milliseconds delay_min{500};
  std::chrono::milliseconds delay_max{60'000};
};

// What is known of the connection that ended.
struct Ended {
  std::chrono::milliseconds lived{0};  // how long it was open; 0 where it never was
  int http_status = 0;                 // of a refused upgrade
  std::optional<std::chrono::seconds> retry_after;
};

class ReconnectPolicy {
 public:
  explicit ReconnectPolicy(ReconnectLimits limits) : limits_(limits) {}

  // `random` lies in [0, 1).
  std::chrono::milliseconds next_delay(const Ended& ended, double random);

  [[nodiscard]] unsigned failures() const { return failures_; }

 private:
  ReconnectLimits limits_;
  unsigned failures_ = 0;  // tries in a row without a connection that lasted
};

}  // namespace mdpipe::reader

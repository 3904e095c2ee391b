#pragma once
// Decides which symbol's book is fetched next, one at a time, and how long to wait after failures. Pure: it
// fetches nothing and has no timer. RequestPacer sets the pace between requests.
#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "libshared/time/time.hpp"

namespace mdpipe::reader {

class RestQueue {
 public:
  struct Limits {
    std::size_t symbols_max = 10'000;
    std::chrono::milliseconds delay_min{1'000};  // after a failure; it doubles with each further one
    std::chrono::milliseconds delay_max{60'000};
    std::chrono::milliseconds asked_delay_max{72L * 3'600'000};  // Binance bans for up to three days
  };

  RestQueue() : RestQueue(Limits{}) {}
  explicit RestQueue(Limits limits) : limits_(limits) {}

  // A symbol that already waits is not added again. False if the queue is full.
  [[nodiscard]] bool add(std::string_view symbol);

  // The symbol's book is no longer wanted: it is not fetched, or not repeated if its request is under way.
  void remove(std::string_view symbol);

  // The time from `now` until the next request may be sent; nothing if none waits or one is under way.
  [[nodiscard]] std::optional<std::chrono::milliseconds> wait(SteadyTime now) const;

  // Removes the next symbol: its request is now under way. Call only after wait() returned a time.
  const std::string& take();
  [[nodiscard]] const std::string& on_its_way() const { return current_; }

  void on_done();
  // The symbol goes to the end of the queue. Returns the delay before the next request.
  std::chrono::milliseconds on_failed(SteadyTime now, std::chrono::seconds asked);

 private:
  Limits limits_;
  std::deque<std::string> waiting_;
  std::string current_;  // empty: no request is under way
  bool is_current_unwanted_ = false;
  unsigned failures_ = 0;
  SteadyTime not_before_{};
};

}  // namespace mdpipe::reader

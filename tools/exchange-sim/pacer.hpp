#pragma once
// How many events are due: a rate, and now and then a higher one for a while (bursts). Time is an argument,
// so it is exact.
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "libshared/time/time.hpp"

namespace mdpipe::sim {

struct Burst {
  double factor = 1;
  std::chrono::nanoseconds every{};
  std::chrono::nanoseconds length{};
};

class Pacer {
 public:
  Pacer(double rate, Burst burst) : rate_(rate), burst_(burst) {}

  void set_rate(double rate) { rate_ = rate; }
  [[nodiscard]] double rate() const { return rate_; }
  [[nodiscard]] bool is_flat_out() const { return rate_ <= 0; }

  // Events due since the last call, at most `most`; the rest stays due. No more than one second of events can
  // accumulate: the excess is counted as late.
  std::size_t due(SteadyTime now, std::size_t most);
  [[nodiscard]] std::uint64_t late() const { return late_; }
  void restart() { started_ = false; }

 private:
  [[nodiscard]] double rate_at(SteadyTime now) const;

  double rate_;
  Burst burst_;
  bool started_ = false;
  SteadyTime start_, last_;
  double credit_ = 0;
  std::uint64_t late_ = 0;
};

}  // namespace mdpipe::sim

#include "tools/exchange-sim/pacer.hpp"

#include <algorithm>
#include <cmath>

namespace mdpipe::sim {

double Pacer::rate_at(SteadyTime now) const {
  if (burst_.factor <= 1 || burst_.every.count() <= 0) return rate_;
  // The quiet part comes first, so that a short test sees both.
  const auto phase = (now - start_) % burst_.every;
  return phase >= burst_.every - burst_.length ? rate_ * burst_.factor : rate_;
}

std::size_t Pacer::due(SteadyTime now, std::size_t most) {
  if (!started_) {
    started_ = true;
    start_ = last_ = now;
    credit_ = 0;
  }
  const double rate = rate_at(now);
  credit_ += rate * std::chrono::duration<double>(now - last_).count();
  last_ = now;
  const double credit_max = std::max(1.0, rate);
  if (credit_ > credit_max) {
    late_ += static_cast<std::uint64_t>(credit_ - credit_max);
    credit_ = credit_max;
  }
  const double whole = std::min(std::floor(credit_), static_cast<double>(most));
  credit_ -= whole;
  return static_cast<std::size_t>(whole);
}

}  // namespace mdpipe::sim

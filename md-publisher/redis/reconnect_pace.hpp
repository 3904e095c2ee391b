#pragma once
// How long to wait before the next try to reach Redis: one rule for redis://, Sentinels and a Cluster. Pauses
// double up to a limit and are shortened at random by up to a half, so that several publishers do not come
// back at once.
#include <chrono>
#include <cstdint>
#include <random>

#include "md-publisher/redis/connection_failure.hpp"

namespace mdpipe::publisher {

class ReconnectPace {
 public:
  // `has_failover`: another server may take over at any moment, so it is looked for often.
  ReconnectPace(std::chrono::milliseconds limit, bool has_failover, std::uint64_t seed);

  std::chrono::milliseconds next(const ConnectionFailure& failure);
  // Something was written.
  void reset() { failures_ = 0; }

 private:
  std::chrono::milliseconds limit_, failover_limit_;
  std::mt19937_64 random_;
  unsigned failures_ = 0;
};

}  // namespace mdpipe::publisher

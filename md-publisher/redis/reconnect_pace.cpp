#include "md-publisher/redis/reconnect_pace.hpp"

#include <algorithm>

namespace mdpipe::publisher {
namespace {

using std::chrono::milliseconds;

// Sentinels and the nodes of a Cluster are near, and a try costs little beside the time that a failover
// takes.
constexpr milliseconds kFailoverPauseMax{500};

}  // namespace

ReconnectPace::ReconnectPace(milliseconds limit, bool has_failover, std::uint64_t seed)
    : limit_(limit),
      failover_limit_(has_failover ? std::min(kFailoverPauseMax, limit) : limit),
      random_(seed) {}

milliseconds ReconnectPace::next(const ConnectionFailure& failure) {
  const RetryPolicy policy = policy_of(failure);
  const unsigned failures = failures_++;
  // The name may lead to the new primary already.
  if (failure.error && failure.error->kind == RedisErrorKind::ReadOnly && failures == 0)
    return milliseconds(0);
  const milliseconds limit = policy == RetryPolicy::Reconnect ? failover_limit_ : limit_;
  const auto longest = retry_delay(policy, failures, limit).count();
  return milliseconds(std::uniform_int_distribution<milliseconds::rep>(longest / 2, longest)(random_));
}

}  // namespace mdpipe::publisher

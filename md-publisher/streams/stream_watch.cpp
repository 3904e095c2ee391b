#include "md-publisher/streams/stream_watch.hpp"

#include <algorithm>
#include <utility>

namespace mdpipe::publisher {

bool StreamWatch::is_due(SteadyTime now) const {
  constexpr auto kInterval = std::chrono::seconds(1);
  return !checked_at_ || now - *checked_at_ >= kInterval;
}

std::uint64_t StreamWatch::on_length(std::uint64_t length, std::uint64_t maxlen, SteadyTime now) {
  std::uint64_t least = this->length();
  length_ = length;
  written_ = trimmed_ = 0;
  if (maxlen > 0) least = std::min(least, maxlen);
  const bool first = !checked_at_;
  checked_at_ = now;
  return first || length >= least ? 0 : least - length;
}

}  // namespace mdpipe::publisher

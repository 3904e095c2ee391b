#include "md-publisher/streams/stream_lengths.hpp"

namespace mdpipe::publisher {

void StreamLengths::forget_all() {
  for (Known& stream : streams_) stream.watch.forget();
}

std::uint64_t StreamLengths::on_checked(const RedisKey& key, std::uint64_t round, std::uint64_t length,
                                        SteadyTime now) {
  Known& stream = of(key);
  stream.is_guarded = true;
  stream.checked_in = round;
  return on_length(key, length, now);
}

void StreamLengths::on_forbidden(const RedisKey& key, std::uint64_t round) {
  Known& stream = of(key);
  stream.is_guarded = false;
  stream.checked_in = round;  // whether it may be written, XADD will say
  stream.watch.forget();
}

}  // namespace mdpipe::publisher

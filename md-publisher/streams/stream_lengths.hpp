#pragma once
// What is known of the length of each stream in Redis, and whether that length may be asked for. Whoever
// learns something about a length gets this object from its owner and reports it here; nothing else changes
// what is known. A stream is found by the number of its key. Pure.
#include <cstdint>
#include <vector>

#include "libshared/time/time.hpp"
#include "md-publisher/streams/stream_table.hpp"
#include "md-publisher/streams/stream_watch.hpp"

namespace mdpipe::publisher {

class StreamLengths {
 public:
  // Redis confirmed so many more entries of ours.
  void on_written(const RedisKey& key, std::uint64_t entries) { of(key).watch.on_written(entries); }
  // Redis rejected so many of them.
  void on_rejected(const RedisKey& key, std::uint64_t entries) { of(key).watch.on_rejected(entries); }
  // So many entries we removed ourselves, besides what MAXLEN removes.
  void on_trimmed(const RedisKey& key, std::uint64_t entries) { of(key).watch.on_trimmed(entries); }
  // The length now. Returns how many entries someone else removed since the last length, at least.
  std::uint64_t on_length(const RedisKey& key, std::uint64_t length, SteadyTime now) {
    return of(key).watch.on_length(length, key.maxlen, now);
  }
  // The next length of this stream is the first again.
  void forget(const RedisKey& key) { of(key).watch.forget(); }
  // Redis itself lost data: the next length of every stream is the first again.
  void forget_all();

  // --- the check before the first entry on a connection (preflight.hpp), by its round

  [[nodiscard]] bool is_checked(const RedisKey& key, std::uint64_t round) const {
    return known(key).checked_in == round;
  }
  // The check found the length: from now on it is guarded. Returns what on_length returns.
  std::uint64_t on_checked(const RedisKey& key, std::uint64_t round, std::uint64_t length, SteadyTime now);
  // The length may not be asked for: the stream is written without its guard.
  void on_forbidden(const RedisKey& key, std::uint64_t round);
  // The check failed and has to be made again.
  void on_check_failed(const RedisKey& key) { of(key).is_guarded = false; }

  // Whether the length may be asked for and was not asked for within the last second.
  [[nodiscard]] bool is_check_due(const RedisKey& key, SteadyTime now) const {
    const Known& stream = known(key);
    return stream.is_guarded && stream.watch.is_due(now);
  }
  // About how many entries there are.
  [[nodiscard]] std::uint64_t length(const RedisKey& key) const { return known(key).watch.length(); }

 private:
  struct Known {
    StreamWatch watch;
    std::uint64_t checked_in = 0;  // the round of checks that it passed last
    bool is_guarded = false;       // its length may be asked for
  };

  Known& of(const RedisKey& key) {
    if (key.id >= streams_.size()) streams_.resize(key.id + 1);
    return streams_[key.id];
  }
  [[nodiscard]] const Known& known(const RedisKey& key) const {
    static const Known kNothing;
    return key.id < streams_.size() ? streams_[key.id] : kNothing;
  }

  std::vector<Known> streams_;  // by number of the key
};

}  // namespace mdpipe::publisher

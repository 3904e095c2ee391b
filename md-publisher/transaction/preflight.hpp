#pragma once
// Asks Redis for the length of each stream before the first transaction on a connection that writes to it.
// Counting starts from the answer, and the answer shows a key of another type before an event is lost to it.
// Makes the commands and reads the answers; sends nothing.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "md-publisher/redis/redis_error.hpp"
#include "md-publisher/redis/reply_reader.hpp"
#include "md-publisher/transaction/transaction.hpp"

namespace mdpipe::publisher {

// Entries of a stream that someone else removed.
struct Removed {
  const RedisKey* key;
  std::uint64_t entries;
};

class Preflight {
 public:
  // What it learns of the streams' lengths goes to `lengths`, which outlives it.
  explicit Preflight(StreamLengths& lengths) : lengths_(lengths) {}

  // Everything has to be asked again: on a new connection or after a refusal that may come from any key.
  void forget() { ++round_; }

  // Collects the questions about a transaction's streams that were not asked yet, and about the hash of
  // states
  // (`state_key` is empty if the transaction has none); false if there is nothing to ask.
  bool prepare(const std::vector<Transaction::TouchedKey>& streams, std::string_view state_key);
  [[nodiscard]] const std::string& commands() const { return commands_; }
  [[nodiscard]] std::size_t question_count() const { return keys_.size() + (asks_state_ ? 1 : 0); }

  // The next answer; true with the last one.
  bool on_reply(const Reply& reply, SteadyTime now);

  // Valid after the last answer, until prepare.
  [[nodiscard]] const std::vector<Removed>& removed() const { return removed_; }
  [[nodiscard]] const std::optional<RedisError>& problem() const {
    return problem_;
  }  // nothing may be written
  // A length that may not be asked for; the stream is written without its guard.
  [[nodiscard]] const std::optional<RedisError>& unguarded() const { return unguarded_; }

 private:
  void on_length(const RedisKey& key, const Reply& reply, SteadyTime now);
  void on_state(const Reply& reply);
  void refuse(const Reply& reply, const char* command, const std::string& key);

  StreamLengths& lengths_;
  std::uint64_t round_ = 1;
  std::uint64_t state_checked_in_ = 0;
  std::string commands_, state_key_;
  std::vector<const RedisKey*> keys_;
  std::size_t answered_ = 0;
  bool asks_state_ = false;
  std::vector<Removed> removed_;
  std::optional<RedisError> problem_, unguarded_;
};

}  // namespace mdpipe::publisher

#pragma once
// One MULTI ... EXEC: events of one or more readers and, with them, the feeds' states and each reader's
// cursor, so that Redis holds all of it or none. Filled while the one before is being written.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/process/burst_memory.hpp"
#include "libshared/time/time.hpp"
#include "md-publisher/redis/cursor.hpp"
#include "md-publisher/streams/stream_lengths.hpp"
#include "md-publisher/streams/stream_table.hpp"

namespace mdpipe::publisher {

class Transaction {
 public:
  struct Entry {
    const Stream* stream = nullptr;
    UnixNanos recv;
    std::uint32_t bytes = 0;  // of the XADD command
    std::uint64_t seq = 0;    // of its source; 0: an event of md-publisher itself
  };
  // Consecutive entries of one reader.
  struct Batch {
    std::string source;
    std::uint64_t epoch = 0;
    std::size_t first_entry = 0;
  };
  // How many of the entries belong to one stream, and to one key of Redis (known after seal).
  struct StreamTotals {
    const Stream* stream = nullptr;
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;
  };
  struct TouchedKey {
    const RedisKey* key = nullptr;
    std::uint64_t entries = 0;
  };
  // A command between MULTI and EXEC, for error messages.
  struct Command {
    std::string_view name, key;
  };
  // The names of the two hashes that a transaction writes besides the streams. Borrowed during a call.
  struct HashKeys {
    std::string_view cursors, states;
  };
  using States = std::map<std::string, std::string, std::less<>>;

  Transaction();

  // `body` holds `words` bulk strings: the entry's fields and values.
  void add(const Stream& stream, std::string_view body, std::size_t words, UnixNanos recv,
           std::uint64_t seq = 0);
  // The next entries come from this reader.
  void begin_batch(const std::string& source, std::uint64_t epoch);
  void set_cursor(const std::string& source, const Cursor& cursor) { cursors_[source] = cursor; }
  // The last state of a feed wins.
  void set_state(std::string field, std::string value) {
    states_.insert_or_assign(std::move(field), std::move(value));
  }
  // States that an earlier transaction could not write; newer ones stay.
  void add_missing_states(const States& states) { states_.insert(states.begin(), states.end()); }

  // Adds what follows the entries: a question for each length that is due, the states, the cursors, EXEC.
  // Nothing may be added afterwards; sealing again replaces the end.
  void seal(const HashKeys& keys, const StreamLengths& lengths, SteadyTime now);
  void clear();

  [[nodiscard]] bool empty() const { return entries_.empty() && cursors_.empty() && states_.empty(); }
  [[nodiscard]] const std::string& commands() const { return commands_; }
  [[nodiscard]] std::size_t command_count() const { return exec_count() + 2; }  // with MULTI and EXEC
  // EXEC's answer has an element for each entry and each length check, one for the states, and one for the
  // cursors, in this order.
  [[nodiscard]] std::size_t exec_count() const {
    return entries_.size() + length_checks_.size() + (states_.empty() ? 0 : 1) + (cursors_.empty() ? 0 : 1);
  }
  // The command whose answer comes at `index`; 0 is MULTI.
  [[nodiscard]] Command command(std::size_t index) const;

  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  // Where the first XADD begins in commands(); the others follow, each of its entry's bytes.
  [[nodiscard]] std::size_t first_entry_offset() const { return first_entry_offset_; }
  [[nodiscard]] const std::vector<Batch>& batches() const { return batches_; }
  [[nodiscard]] const std::vector<StreamTotals>& stream_totals() const { return stream_totals_; }
  [[nodiscard]] const std::vector<TouchedKey>& touched() const { return touched_; }
  [[nodiscard]] const std::vector<const RedisKey*>& length_checks() const { return length_checks_; }
  [[nodiscard]] const States& states() const { return states_; }
  [[nodiscard]] const Cursors& cursors() const { return cursors_; }

 private:
  StreamTotals& totals_of(const Stream& stream);
  void touch(const RedisKey& key);

  std::string commands_;
  process::BurstMemory burst_;  // of commands_ and entries_
  std::size_t first_entry_offset_ = 0;
  std::size_t sealed_at_ = 0;  // where the end begins; 0 while unsealed
  std::vector<Entry> entries_;
  std::vector<Batch> batches_;
  std::vector<StreamTotals> stream_totals_;
  std::vector<TouchedKey> touched_;
  // By number of the stream or key: its index in stream_totals_ or touched_, plus one.
  std::vector<std::uint32_t> totals_places_, touched_places_;
  std::vector<const RedisKey*> length_checks_;
  States states_;
  Cursors cursors_;
  std::string cursor_key_, state_key_;
};

}  // namespace mdpipe::publisher

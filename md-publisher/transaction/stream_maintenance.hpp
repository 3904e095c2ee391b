#pragma once
// Limits memory once a second, between two transactions: trims entries that are too old, trims all streams
// together to a number of bytes, and asks each server how much memory it has left. Makes the commands and
// reads the answers; sends nothing, so that it is the same for one Redis and for a Cluster. Its commands are
// not part of a transaction, because a missing right for one of them would cost the events.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/time/time.hpp"
#include "md-publisher/redis/redis_error.hpp"
#include "md-publisher/redis/reply_reader.hpp"
#include "md-publisher/transaction/transaction.hpp"

namespace mdpipe::publisher {

// INFO memory of Redis.
struct RedisMemory {
  std::uint64_t used = 0;
  std::uint64_t max = 0;  // 0: no limit
  bool evicts = false;    // at the limit Redis deletes keys without asking, ours too
  std::string node{};     // which node, in a Cluster
};

std::optional<RedisMemory> parse_memory(std::string_view info);

class StreamMaintenance {
 public:
  struct Report {
    std::optional<RedisMemory> memory;          // if it was asked for; of several servers that of the fullest
    std::optional<std::uint64_t> stream_bytes;  // of all streams written to since the start, if limited
    std::uint64_t trimmed = 0;                  // entries
    std::optional<RedisError> refused;          // only the first time that a right is missing
  };

  // 0: all streams together may have any size.
  // `lengths` outlives it.
  StreamMaintenance(StreamLengths& lengths, std::uint64_t stream_bytes_max)
      : lengths_(lengths), stream_bytes_max_(stream_bytes_max) {}

  // The streams of a transaction that is about to be written.
  void touch(const Transaction& transaction);

  // Collects the commands that are due, for so many servers; false if there are none.
  bool prepare(SteadyTime now, UnixNanos wall, std::size_t servers = 1);
  [[nodiscard]] std::size_t count() const { return asked_.size(); }
  [[nodiscard]] std::string_view command(std::size_t index) const;
  [[nodiscard]] const std::string& commands() const { return commands_; }  // all of them
  // The stream that a command is about; null for one to a server itself.
  [[nodiscard]] const RedisKey* key(std::size_t index) const;

  // The answer to a command; true with the last one. `node` names the server in a Cluster.
  bool on_reply(std::size_t index, const Reply& reply, std::string_view node = {});
  // No answer will come: the command may or may not have been carried out.
  bool on_unheard(std::size_t index);
  [[nodiscard]] const Report& report() const { return report_; }  // valid after the last answer

  // After a new connection: someone may meanwhile have granted the missing right.
  void start_over();

 private:
  enum class Kind { Memory, TrimAge, TrimBytes, Size };
  struct TrackedStream {
    const RedisKey* key = nullptr;
    std::uint64_t bytes = 0;
    bool grown = true;  // written to since its size was asked for
  };
  struct Asked {
    Kind kind{};
    std::size_t tracked = 0;
    std::size_t end = 0;  // of its command in commands_
  };

  void ask_of_streams(UnixNanos wall);
  template <typename... Words>
  void ask(Asked asked, const Words&... words);
  void on_memory(const Reply& reply, std::string_view node);
  void on_refused(Kind kind, const Reply& reply, const std::string& key);
  bool is_last();
  [[nodiscard]] bool may(Kind kind) const { return !forbidden_[static_cast<std::size_t>(kind)]; }

  StreamLengths& lengths_;
  std::uint64_t stream_bytes_max_;
  std::vector<TrackedStream> tracked_;
  std::vector<std::size_t> places_;  // by number of the key: its index in tracked_, plus one
  std::uint64_t total_bytes_ = 0;
  unsigned fruitless_ = 0;  // rounds in a row in which streams were cut and none gave anything
  bool was_cut_ = false, has_given_ = false;  // in this round, any stream
  std::size_t next_ = 0;                      // index in tracked_ at which the next round continues
  std::optional<SteadyTime> memory_asked_at_;
  std::string commands_;
  std::vector<Asked> asked_;
  std::size_t answered_ = 0;
  Report report_;
  std::array<bool, 4> forbidden_{}, said_{};  // by Kind; forbidden on this connection, ever reported
};

}  // namespace mdpipe::publisher

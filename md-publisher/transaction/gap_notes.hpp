#pragma once
// The gaps that md-publisher itself finds in what Redis holds, until each is a `gap` event in Redis: they
// wait for the next transaction and come back where that one fails. One note a feed, so there are never more
// than streams.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "md-publisher/streams/stream_table.hpp"
#include "md-publisher/transaction/outcome.hpp"

namespace mdpipe::publisher {

struct GapNote {
  std::string_view reason;            // of static life
  std::optional<std::uint64_t> lost;  // nothing where unknown
};

class GapNotes {
 public:
  using Notes = std::map<const Stream*, GapNote>;

  // Someone deleted or trimmed a stream: a note for each feed in it.
  void on_removed(const Removed& removed);
  // A failover lost the newest of a stream: a note for each feed in it.
  void on_stream_lost(const RedisKey& key);
  // Redis refused an event inside a transaction.
  void on_refused(const Stream& stream);

  // What is not on its way yet is now. Returns all that is.
  const Notes& take();
  void on_committed() { taken_.clear(); }
  void on_lost();

  [[nodiscard]] bool empty() const { return waiting_.empty(); }

 private:
  Notes waiting_, taken_;
};

}  // namespace mdpipe::publisher

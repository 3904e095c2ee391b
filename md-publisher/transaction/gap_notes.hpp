#pragma once
// The gaps that md-publisher itself finds in what Redis holds. Each note waits until the next transaction
// writes it as a `gap` event, and waits again if that transaction fails. There is one note for each feed, so
// there are never more notes than streams.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "md-publisher/streams/stream_table.hpp"
#include "md-publisher/transaction/outcome.hpp"

namespace mdpipe::publisher {

struct GapNote {
  std::string_view reason;            // points to static text
  std::optional<std::uint64_t> lost;  // nothing if unknown
};

class GapNotes {
 public:
  using Notes = std::map<const Stream*, GapNote>;

  // Someone deleted or trimmed a stream: a note for each feed in it.
  void on_removed(const Removed& removed);
  // A failover lost the newest of a stream: a note for each feed in it.
  void on_stream_lost(const RedisKey& key);
  // Redis rejected an event inside a transaction.
  void on_rejected(const Stream& stream);

  // The notes that wait are written with the next transaction. Returns all notes that are being written.
  const Notes& begin_writing();
  void on_committed() { in_flight_.clear(); }
  void on_lost();

  [[nodiscard]] bool empty() const { return waiting_.empty(); }

 private:
  Notes waiting_, in_flight_;
};

}  // namespace mdpipe::publisher

#pragma once
// What EXEC's answer says became of a transaction, entry by entry. Pure: what it says of
// the lengths of streams goes into the object that is handed in.
#include <optional>
#include <string>
#include <vector>

#include "md-publisher/redis/reply_reader.hpp"
#include "md-publisher/transaction/preflight.hpp"
#include "md-publisher/transaction/transaction.hpp"

namespace mdpipe::publisher {

// One entry of a committed transaction that Redis rejected alone, for example because the key has another
// type.
struct RefusedEntry {
  const Transaction::Entry* entry;
  std::string error;
};

struct Outcome {
  std::vector<RefusedEntry> refused;
  std::vector<Removed> removed;
  std::optional<RedisError> states_refused, cursors_refused;
  std::uint64_t cursors_created = 0;  // fields of the cursor hash that did not exist before
  bool cursors_gone = false;  // some of them should have existed: Redis lost data during this connection
};

// Nothing if the answer does not fit the transaction. Reports to `lengths` what was written and the
// lengths that the answer holds.
std::optional<Outcome> read_outcome(const Reply& exec, const Transaction& transaction, StreamLengths& lengths,
                                    SteadyTime now);

}  // namespace mdpipe::publisher

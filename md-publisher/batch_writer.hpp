#pragma once
// Turns a batch of msgpack events into the commands of a transaction, without a document in between: what the
// decoder sees is copied straight into Redis's protocol.
#include <cstdint>
#include <string>
#include <string_view>

#include "md-publisher/stream_table.hpp"
#include "md-publisher/transaction.hpp"

namespace mdpipe::publisher {

enum class EntryFormat { Fields, Msgpack };

struct BatchCount {
  std::uint32_t added = 0;
  std::uint32_t malformed = 0;  // no map with type, exchange and symbol, or no stream left for it
  bool complete =
      true;  // false: the payload broke off or holds another number of events than the header says
};

class BatchWriter {
 public:
  BatchWriter(StreamTable& streams, EntryFormat format) : streams_(streams), format_(format) {}

  // Adds the events after the first `skip`, up to `count` in all.
  BatchCount write(std::string_view payload, std::uint32_t skip, std::uint32_t count,
                   Transaction& transaction);

 private:
  StreamTable& streams_;
  EntryFormat format_;
  std::string body_, scratch_;
};

}  // namespace mdpipe::publisher

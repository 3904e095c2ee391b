#pragma once
// Turns a batch of msgpack events into the commands of a transaction, without a document in between: what is
// read is copied straight into Redis's protocol.
#include <cstdint>
#include <string>
#include <string_view>

#include "libshared/wire/byte_buffer.hpp"
#include "md-publisher/streams/stream_table.hpp"
#include "md-publisher/transaction/gap_notes.hpp"
#include "md-publisher/transaction/transaction.hpp"

namespace mdpipe::publisher {

enum class EntryFormat { Fields, Msgpack };

struct BatchCount {
  std::uint32_t added = 0;
  std::uint32_t malformed = 0;  // no map with type, exchange and symbol, or no stream left for it
  bool complete =
      true;  // false: the payload broke off or holds another number of events than the header says
};

// Writes events of type `feed` twice: to their stream, and as the state of their feed.
class BatchWriter {
 public:
  BatchWriter(StreamTable& streams, EntryFormat format) : streams_(streams), format_(format) {}

  // Adds the events after the first `skip`, up to `count` in all.
  // `first_seq` is that of the batch's first event.
  BatchCount write(std::string_view payload, std::uint32_t skip, std::uint32_t count,
                   Transaction& transaction, std::uint64_t first_seq = 1);

  // Adds a `gap` event of md-publisher's own. It has no number, as no reader sent it, and leaves the feed's
  // state as it is.
  void write_gap(const Stream& feed, const GapNote& note, UnixNanos now, Transaction& transaction);

 private:
  StreamTable& streams_;
  EntryFormat format_;
  wire::ByteBuffer body_, scratch_, gap_;
};

}  // namespace mdpipe::publisher

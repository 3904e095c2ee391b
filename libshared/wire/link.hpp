#pragma once
// The messages of the link between reader and publisher: the header before a batch payload, and the position
// that is sent back. Both begin with the wire version, so that another version is refused with its number and
// not misread.
#include <cstdint>
#include <string>
#include <string_view>

#include "libshared/result/result.hpp"
#include "libshared/wire/byte_buffer.hpp"

namespace mdpipe::wire {

inline constexpr std::uint32_t kWireVersion = 2;

// Limits for names on the wire; longer names are refused.
inline constexpr std::size_t kSourceCharsMax = 128;

// Part 1 of a PUSH message; part 2 is the batch payload. As msgpack: [version, source, epoch, first_seq,
// count, oldest, follows, confirmed, sent, closes].
struct BatchHeader {
  std::string source;           // the reader's stable name
  std::uint64_t epoch = 0;      // new at every start of the reader: wall clock in ns
  std::uint64_t first_seq = 0;  // of the payload's first event
  std::uint32_t count = 0;      // events in the payload
  std::uint64_t oldest = 0;   // the first event the reader can resend; earlier ones are confirmed or dropped
  std::uint64_t follows = 0;  // the event before the first one; the reader dropped those between
  std::uint64_t confirmed = 0;  // the reader knows that Redis holds everything of this epoch up to here
  std::int64_t sent_ns =
      0;                // the reader's wall clock: distinguishes a running reader from messages of a dead one
  bool closes = false;  // the epoch's reader is dead: nothing more of it is accepted
};

// Part 2 of a PUB message whose part 1 (the topic) is the source, or kEverySource.
// As msgpack: [version, instance, epoch, confirmed, accepted, redis_up, lost_after, lost_to, refused,
// closed].
struct Position {
  std::uint64_t instance = 0;   // when the publisher started; if it changes, readers resend
  std::uint64_t epoch = 0;      // the reader's epoch that this is about; 0 if the publisher knows none
  std::uint64_t confirmed = 0;  // Redis has confirmed every event up to here
  std::uint64_t accepted = 0;   // the publisher has every event up to here; it expects accepted + 1 next
  bool redis_up = false;
  // Redis had confirmed the events (lost_after, lost_to] of this epoch and no longer holds them: it was
  // emptied, failed over or restored. Both are 0 if that never happened.
  std::uint64_t lost_after = 0;
  std::uint64_t lost_to = 0;
  bool refused = false;  // another reader of this name is running: this one must stop
  bool closed = false;   // the epoch was closed: nothing more of it is accepted
};

// The topic of positions for every reader: a publisher announces itself. No source has this name.
inline constexpr std::string_view kEverySource = "*";

void encode(const BatchHeader& header, ByteBuffer& out);
void encode(const Position& position, ByteBuffer& out);

// Protocol errors name the version or the part that is wrong.
Result<BatchHeader> decode_batch_header(std::string_view bytes);
Result<Position> decode_position(std::string_view bytes);

}  // namespace mdpipe::wire

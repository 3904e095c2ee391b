#pragma once
// Events as msgpack: one map with string keys for each event, an array of them for each batch. ws-reader
// encodes; consumers decode with any msgpack library. Keys: docs/architecture.md, "The event".
#include <cstdint>

#include "libshared/event/event.hpp"
#include "libshared/wire/byte_buffer.hpp"

namespace mdpipe::wire {

// Appends one event map to `out`. `seq` is its number in the reader's epoch, from 1.
void encode_event(const Event& event, std::uint64_t seq, ByteBuffer& out);

// A batch payload is a msgpack array. Its length is written last: begin, encode_event n times, seal.
void begin_batch(ByteBuffer& out);
void seal_batch(ByteBuffer& out, std::uint32_t count);

// Bytes that begin_batch writes; the first event starts here.
inline constexpr std::size_t kBatchPrefixBytes = 5;

}  // namespace mdpipe::wire

#pragma once
// msgpack to JSON text, without a document in between: NDJSON on standard output and array fields in Redis.
#include <string_view>

#include "libshared/wire/byte_buffer.hpp"
#include "libshared/wire/msgpack_reader.hpp"

namespace mdpipe::wire {

// Appends the next value as JSON. What JSON cannot say becomes null: NaN, the infinities, extension types.
// Throws MsgpackReader::Malformed, also for a map whose key is no text and for arrays and maps that lie more
// than `depth` deep.
void append_json(MsgpackReader& in, int depth, ByteBuffer& out);

// Appends each element of a batch payload (a msgpack array) as one line of JSON. Returns false where the
// payload is not such an array or nests deeper than events do; `out` then holds what was read before.
bool append_batch_as_ndjson(std::string_view payload, ByteBuffer& out);

}  // namespace mdpipe::wire

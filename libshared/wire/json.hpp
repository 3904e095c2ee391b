#pragma once
// msgpack to JSON text, without building a document: for NDJSON on standard output and array fields in Redis.
#include <string_view>

#include "libshared/wire/byte_buffer.hpp"
#include "libshared/wire/msgpack_reader.hpp"

namespace mdpipe::wire {

// Appends the next value as JSON. Values that JSON does not have become null: NaN, the infinities, extension
// types. Throws MsgpackReader::Malformed, also for a map whose key is not text and for arrays and maps nested
// more than `depth` deep.
void append_json(MsgpackReader& in, int depth, ByteBuffer& out);

// Appends each element of a batch payload (a msgpack array) as one line of JSON. Returns false if the payload
// is not such an array or is nested deeper than events are; `out` then has what was read before.
bool append_batch_as_ndjson(std::string_view payload, ByteBuffer& out);

}  // namespace mdpipe::wire

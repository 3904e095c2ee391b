#pragma once
// msgpack to JSON text, without a document in between: NDJSON on standard output and array fields in Redis.
#include <string>
#include <string_view>

namespace mdpipe::wire {

// Appends each element of a batch payload (a msgpack array) as one line of JSON. Returns false where the
// payload is not such an array or nests deeper than events do; `out` then holds what was read before.
bool append_batch_as_ndjson(std::string_view payload, std::string& out);

}  // namespace mdpipe::wire

#pragma once
// Text as a JSON string: quoting only, for the places that write JSON straight into a buffer.
#include <string>
#include <string_view>

namespace mdpipe {

// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 pass as they are.
void append_json_string(std::string_view text, std::string& out);

// At most `bytes_max` bytes of foreign input in printable ASCII, other bytes as \xNN, for a log line.
std::string printable_sample(std::string_view input, std::size_t bytes_max = 200);

}  // namespace mdpipe

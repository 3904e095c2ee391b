#pragma once
// Text as a JSON string: quoting only. JsonWriter (json_writer.hpp) writes whole objects and arrays.
#include <string>
#include <string_view>

namespace mdpipe {

// Whether nothing in `text` has to be escaped: its JSON string is the text itself between quotes.
bool is_plain_json(std::string_view text);

// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 pass as they are.
void append_json_string(std::string_view text, std::string& out);
std::string json_string(std::string_view text);

// `text` with every byte that is not part of UTF-8 replaced by U+FFFD.
std::string valid_utf8(std::string_view text);

// At most `bytes_max` bytes of foreign input in printable ASCII, other bytes as \xNN, for a log line.
std::string printable_sample(std::string_view input, std::size_t bytes_max = 200);

}  // namespace mdpipe

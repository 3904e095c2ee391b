#pragma once
// Redis commands as bytes, appended to one buffer that is written with one system call.
#include <fmt/format.h>

#include <string>
#include <string_view>

namespace mdpipe::publisher::resp {

inline void append_array(std::size_t words, std::string& out) {
  const fmt::format_int count(words);
  out.push_back('*');
  out.append(count.data(), count.size());
  out.append("\r\n");
}

inline void append_bulk(std::string_view word, std::string& out) {
  const fmt::format_int bytes(word.size());
  out.push_back('$');
  out.append(bytes.data(), bytes.size());
  out.append("\r\n");
  out.append(word);
  out.append("\r\n");
}

template <typename... Words>
void append_command(std::string& out, const Words&... words) {
  append_array(sizeof...(words), out);
  (append_bulk(words, out), ...);
}

}  // namespace mdpipe::publisher::resp

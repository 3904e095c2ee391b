#pragma once
// Redis commands as bytes, appended to one buffer that is written with one system call.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "libshared/wire/byte_buffer.hpp"

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

// An event has some twenty words, most of them short.
inline void append_bulk(std::string_view word, wire::ByteBuffer& out) {
  constexpr std::size_t kAround = 32;  // more than '$', the length and twice "\r\n" take
  const auto digit = [](std::size_t value) { return static_cast<char>('0' + value); };
  char* at = out.room(kAround + word.size());
  *at++ = '$';
  if (word.size() < 10) {
    *at++ = digit(word.size());
  } else if (word.size() < 100) {
    *at++ = digit(word.size() / 10);
    *at++ = digit(word.size() % 10);
  } else {
    const fmt::format_int bytes(word.size());
    at = std::copy_n(bytes.data(), bytes.size(), at);
  }
  *at++ = '\r';
  *at++ = '\n';
  at = std::copy(word.begin(), word.end(), at);
  *at++ = '\r';
  *at++ = '\n';
  out.end_at(at);
}

template <typename... Words>
void append_command(std::string& out, const Words&... words) {
  append_array(sizeof...(words), out);
  (append_bulk(words, out), ...);
}

}  // namespace mdpipe::publisher::resp

#include "libshared/json/json_string.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace mdpipe {
namespace {
constexpr char kHex[] = "0123456789abcdef";

// The length of the UTF-8 sequence at the front of `text` (Unicode, table 3-7), 0 if there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto continues = [&byte](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned first = byte(0);
  const unsigned second = byte(1);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool outside = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F);
    return !outside && continues(1) && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool outside = (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
    return !outside && continues(1) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

// A word with one value in each of its bytes, and tests that leave a high bit set for each byte that is zero
// or less than a bound: https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord
using Word = std::uint64_t;
constexpr Word everywhere(unsigned char byte) { return ~Word{0} / 0xff * byte; }
constexpr Word below(Word word, unsigned char bound) {
  return (word - everywhere(bound)) & ~word & everywhere(0x80);
}
constexpr Word special_bytes(Word word) {
  return below(word, 0x20) | below(word ^ everywhere('"'), 1) | below(word ^ everywhere('\\'), 1);
}

bool is_special(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

template <typename Number>
Number load(const char* at) {
  Number number = 0;
  std::memcpy(&number, at, sizeof number);
  return number;
}

}  // namespace

// Eight bytes a step; the last step may overlap the one before. Made for prices, which are plain and of which
// a book has many.
bool is_plain_json(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  if (text.size() >= sizeof(Word)) {
    Word special = special_bytes(load<Word>(end - sizeof(Word)));
    for (; end - at > static_cast<std::ptrdiff_t>(sizeof(Word)); at += sizeof(Word))
      special |= special_bytes(load<Word>(at));
    return special == 0;
  }
  if (text.size() >= sizeof(std::uint32_t)) {
    const Word word = load<std::uint32_t>(at) | Word{load<std::uint32_t>(end - sizeof(std::uint32_t))} << 32U;
    return special_bytes(word) == 0;
  }
  return std::none_of(at, end, is_special);
}

void append_json_string(std::string_view text, std::string& out) {
  out.push_back('"');
  if (is_plain_json(text)) {
    out.append(text);
    out.push_back('"');
    return;
  }
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20) {
      out.append("\\u00");
      out.push_back(kHex[byte >> 4U]);
      out.push_back(kHex[byte & 0xFU]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(text, out);
  return out;
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    out.append(length > 0 ? text.substr(0, length) : std::string_view("\xef\xbf\xbd"));
    text.remove_prefix(length > 0 ? length : 1);
  }
  return out;
}

std::string printable_sample(std::string_view input, std::size_t bytes_max) {
  std::string out;
  for (const char c : input.substr(0, bytes_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out.push_back(c);
    } else {
      out.append("\\x");
      out.push_back(kHex[byte >> 4U]);
      out.push_back(kHex[byte & 0xFU]);
    }
  }
  if (input.size() > bytes_max) out.append("...");
  return out;
}

}  // namespace mdpipe

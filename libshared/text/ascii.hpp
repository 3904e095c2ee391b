#pragma once
// What std::string_view does not have in C++17, for text whose syntax is ASCII. Bytes of other characters
// pass through unchanged; no locale is asked.
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mdpipe::ascii {

constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
constexpr char to_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }
constexpr bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

std::string lower(std::string_view text);

constexpr bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}
constexpr bool ends_with(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

// Removes the prefix; false, and no change, if the text does not begin with it.
constexpr bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!starts_with(text, prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// The parts between separators, empty ones too: one more than there are separators. Views into `text`.
std::vector<std::string_view> split(std::string_view text, char separator);
// What is before the first separator and what is after it; everything and nothing if there is no separator.
std::pair<std::string_view, std::string_view> split_once(std::string_view text, char separator);

// "币USDT" -> "%E5%B8%81USDT". Letters and digits stay, and the characters of `unreserved`.
std::string percent_encoded(std::string_view text, std::string_view unreserved = {});
// The reverse; nothing if a % is not followed by two hexadecimal digits.
std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace mdpipe::ascii

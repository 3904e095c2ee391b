#include "tools/exchange-sim/frame_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace mdpipe::sim {

void append_decimal(std::int64_t units, DecimalStyle style, std::string& out) {
  std::array<char, 24> buffer{};
  const char* end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), units).ptr;
  const std::string_view digits(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  const auto decimals = static_cast<std::size_t>(style.decimals);
  const auto shown_min = static_cast<std::size_t>(style.decimals_shown_min);

  const std::size_t whole = digits.size() > decimals ? digits.size() - decimals : 0;
  if (whole == 0) {
    out += '0';
  } else {
    out += digits.substr(0, whole);
  }
  std::string fraction(decimals > digits.size() ? decimals - digits.size() : 0, '0');
  fraction += digits.substr(whole);
  while (fraction.size() > shown_min && fraction.back() == '0') fraction.pop_back();
  fraction.resize(std::max(fraction.size(), shown_min), '0');
  if (!fraction.empty()) {
    out += '.';
    out += fraction;
  }
}

std::string decimal_text(std::int64_t units, DecimalStyle style) {
  std::string out;
  append_decimal(units, style, out);
  return out;
}

namespace {

constexpr std::size_t kSecondsChars = 19;  // "2025-04-30T13:09:45"

}  // namespace

void insert_first(std::string_view list_start, std::string_view entry, std::string& frame) {
  const std::size_t found = frame.find(list_start);
  if (found == std::string::npos) return;
  const std::size_t at = found + list_start.size();
  const bool is_empty = frame[at] == ']';
  frame.insert(at, std::string(entry) + (is_empty ? "" : ","));
}

std::string iso_millis(UnixNanos time) {
  constexpr std::size_t kMillisChars = 4;  // ".326"
  std::string text = to_iso8601(time);
  text.resize(kSecondsChars + kMillisChars);
  return text + 'Z';
}

std::string iso_ticks(UnixNanos time) {
  constexpr std::size_t kTicksChars = 8;  // ".6491037"
  std::string text = to_iso8601(time);
  text.resize(kSecondsChars + kTicksChars);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text + 'Z';
}

}  // namespace mdpipe::sim

#include "libshared/event/decimal.hpp"

#include <algorithm>
#include <charconv>
#include <string>

namespace mdpipe {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t skip_digits(std::string_view text, std::size_t at) {
  while (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

// A decimal as sign, significant digits and the power of ten of the first of them.
struct Normalized {
  bool negative = false;
  std::string digits;  // no leading and no trailing zero; empty for zero
  long exponent = 0;   // value = 0.digits * 10^exponent
};

Normalized normalize(std::string_view text) {
  Normalized out;
  if (text.front() == '-') {
    out.negative = true;
    text.remove_prefix(1);
  }
  const std::size_t exponent_at = std::min(text.find_first_of("eE"), text.size());
  if (exponent_at < text.size()) {
    std::string_view exponent = text.substr(exponent_at + 1);
    if (exponent.front() == '+') exponent.remove_prefix(1);
    const auto parsed = std::from_chars(exponent.data(), exponent.data() + exponent.size(), out.exponent);
    // Far beyond any price an exponent orders by its sign alone, and adding to it must not overflow.
    constexpr long kExponentMax = 1'000'000'000L;
    if (parsed.ec != std::errc()) out.exponent = exponent.front() == '-' ? -kExponentMax : kExponentMax;
    out.exponent = std::clamp(out.exponent, -kExponentMax, kExponentMax);
  }
  const std::string_view mantissa = text.substr(0, exponent_at);
  const std::size_t point = std::min(mantissa.find('.'), mantissa.size());
  out.exponent += static_cast<long>(point);
  for (const char c : mantissa) {
    if (c != '.') out.digits += c;
  }
  const std::size_t leading = std::min(out.digits.find_first_not_of('0'), out.digits.size());
  out.digits.erase(0, leading);
  out.exponent -= static_cast<long>(leading);
  out.digits.erase(out.digits.find_last_not_of('0') + 1);
  if (out.digits.empty()) out = Normalized{};
  return out;
}

int compare_magnitudes(const Normalized& a, const Normalized& b) {
  if (a.digits.empty() || b.digits.empty())
    return static_cast<int>(!a.digits.empty()) - static_cast<int>(!b.digits.empty());
  if (a.exponent != b.exponent) return a.exponent < b.exponent ? -1 : 1;
  return a.digits.compare(b.digits);
}

// "12.50" and "13.75": plain, unsigned, same number of integer digits: comparing characters compares values.
bool comparable_as_text(std::string_view a, std::string_view b) {
  const auto plain = [](std::string_view text) {
    return is_digit(text.front()) && text.find_first_of("eE") == std::string_view::npos;
  };
  return plain(a) && plain(b) && std::min(a.find('.'), a.size()) == std::min(b.find('.'), b.size()) &&
         a.size() == b.size();
}

}  // namespace

bool is_decimal(std::string_view text) {
  if (text.empty() || text.size() > kDecimalCharsMax) return false;
  std::size_t at = text.front() == '-' ? 1 : 0;
  const std::size_t integer_end = skip_digits(text, at);
  if (integer_end == at) return false;
  if (text[at] == '0' && integer_end > at + 1) return false;
  at = integer_end;
  if (at < text.size() && text[at] == '.') {
    const std::size_t fraction_end = skip_digits(text, at + 1);
    if (fraction_end == at + 1) return false;
    at = fraction_end;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const std::size_t exponent_end = skip_digits(text, at);
    if (exponent_end == at) return false;
    at = exponent_end;
  }
  return at == text.size();
}

int compare_decimals(std::string_view a, std::string_view b) {
  if (comparable_as_text(a, b)) return a.compare(b);
  const Normalized left = normalize(a);
  const Normalized right = normalize(b);
  if (left.negative != right.negative) return left.negative ? -1 : 1;
  const int magnitudes = compare_magnitudes(left, right);
  return left.negative ? -magnitudes : magnitudes;
}

bool is_zero(std::string_view decimal) {
  for (const char c : decimal) {
    if (c == 'e' || c == 'E') break;
    if (c >= '1' && c <= '9') return false;
  }
  return true;
}

}  // namespace mdpipe

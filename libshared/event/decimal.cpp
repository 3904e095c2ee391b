#include "libshared/event/decimal.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

namespace mdpipe {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

const char* skip_digits(const char* at, const char* end) {
  while (at != end && is_digit(*at)) ++at;
  return at;
}

// Compares two decimals without sign and exponent whose points are at the same place: the first different
// digit decides. Neighbours in a book are nearly always of this form. Nothing for any other form.
std::optional<int> compare_alike(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return std::nullopt;
  const char* left = a.data();
  const char* right = b.data();
  const char* const end = left + a.size();
  for (; left != end && *left == *right; ++left, ++right) {
    if (*left > '9' || *left == '-') return std::nullopt;
  }
  if (left == end) return 0;
  const int order = *left < *right ? -1 : 1;
  if (!is_digit(*left) || !is_digit(*right)) return std::nullopt;
  while (++left != end) {
    ++right;
    if (*left == '.' ? *right != '.' : !is_digit(*left) || !is_digit(*right)) return std::nullopt;
  }
  return order;
}

// A decimal as sign, significant digits, and the power of ten of the first digit.
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
    // So large an exponent is beyond any price: only its sign matters, and adding to it must not overflow.
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

// The integer and fraction digits of "12.50", the usual form of a price.
struct Plain {
  std::string_view integer, fraction;
};

bool split(std::string_view text, Plain& out) {
  const char* const end = text.data() + text.size();
  const char* const integer_end = skip_digits(text.data(), end);
  out.integer = text.substr(0, static_cast<std::size_t>(integer_end - text.data()));
  out.fraction = {};
  if (integer_end == end) return true;
  if (out.integer.empty() || *integer_end != '.') return false;  // negative or with an exponent
  out.fraction = text.substr(out.integer.size() + 1);
  return skip_digits(integer_end + 1, end) == end;
}

int compare(const Plain& a, const Plain& b) {
  if (a.integer.size() != b.integer.size()) return a.integer.size() < b.integer.size() ? -1 : 1;
  if (const int order = a.integer.compare(b.integer); order != 0) return order;
  const std::size_t common = std::min(a.fraction.size(), b.fraction.size());
  const int order = a.fraction.substr(0, common).compare(b.fraction.substr(0, common));
  if (order != 0) return order;
  const auto more = [common](std::string_view fraction) {
    return fraction.find_first_not_of('0', common) != std::string_view::npos;
  };
  return static_cast<int>(more(a.fraction)) - static_cast<int>(more(b.fraction));
}

}  // namespace

std::size_t decimal_length(std::string_view text) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* const integer = begin != end && *begin == '-' ? begin + 1 : begin;
  const char* at = skip_digits(integer, end);
  if (at == integer) return 0;
  if (*integer == '0') at = integer + 1;
  if (at != end && *at == '.') {
    const char* const fraction_end = skip_digits(at + 1, end);
    if (fraction_end == at + 1) return static_cast<std::size_t>(at - begin);
    at = fraction_end;
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    const char* exponent = at + 1;
    if (exponent != end && (*exponent == '+' || *exponent == '-')) ++exponent;
    const char* const exponent_end = skip_digits(exponent, end);
    if (exponent_end > exponent) at = exponent_end;
  }
  return static_cast<std::size_t>(at - begin);
}

bool is_decimal(std::string_view text) {
  return !text.empty() && text.size() <= kDecimalCharsMax && decimal_length(text) == text.size();
}

int compare_decimals(std::string_view a, std::string_view b) {
  if (const auto order = compare_alike(a, b)) return *order;
  Plain plain_a, plain_b;
  if (split(a, plain_a) && split(b, plain_b)) return compare(plain_a, plain_b);
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

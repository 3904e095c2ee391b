#include "ws-reader/books/price_key.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

namespace mdpipe::reader {
namespace {

constexpr long kDecimals = 18;
constexpr long kExponentMax = 1'000'000;  // far beyond what a key can hold, far below what could overflow
constexpr int kPowerMax = 37;

constexpr PriceKey power_of_ten(int exponent) {
  PriceKey power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

constexpr auto kPowers = [] {
  std::array<std::uint64_t, kDecimals + 1> powers{};
  for (std::size_t i = 0; i < powers.size(); ++i)
    powers[i] = static_cast<std::uint64_t>(power_of_ten(static_cast<int>(i)));
  return powers;
}();

// Two keys can be added and one be doubled without overflow.
constexpr PriceKey kKeyMax = power_of_ten(kPowerMax);

long exponent_of(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  long exponent = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), exponent);
  if (parsed.ec != std::errc()) exponent = text.front() == '-' ? -kExponentMax : kExponentMax;
  return std::clamp(exponent, -kExponentMax, kExponentMax);
}

// value * 10^exponent, where it stays below kKeyMax.
std::optional<PriceKey> scaled(PriceKey value, long exponent) {
  if (exponent < 0 || exponent > kPowerMax) return std::nullopt;
  const PriceKey power = power_of_ten(static_cast<int>(exponent));
  if (value > kKeyMax / power) return std::nullopt;
  return value * power;
}

// Of digits and a point alone, with at most 18 digits: nearly all prices, without a division.
std::optional<PriceKey> plain_key(Decimal text) {
  if (text.size() > kDecimals) return std::nullopt;
  std::uint64_t digits = 0;
  long decimals = 0;
  bool behind_point = false;
  for (const char c : text) {
    if (c == '.') {
      behind_point = true;
      continue;
    }
    if (c < '0' || c > '9') return std::nullopt;
    digits = 10 * digits + static_cast<std::uint64_t>(c - '0');
    decimals += behind_point ? 1 : 0;
  }
  return PriceKey{digits} * kPowers[static_cast<std::size_t>(kDecimals - decimals)];
}

}  // namespace

PriceKey unit_of(int decimals) {
  return power_of_ten(static_cast<int>(kDecimals) - std::clamp(decimals, 0, static_cast<int>(kDecimals)));
}

int decimals_of(Decimal text) {
  const std::size_t exponent_at = std::min(text.find_first_of("eE"), text.size());
  const Decimal mantissa = text.substr(0, exponent_at);
  const std::size_t last = mantissa.find_last_not_of("0.");
  if (last == Decimal::npos || mantissa[last] == '-') return 0;
  const std::size_t point = std::min(mantissa.find('.'), mantissa.size());
  long decimals = static_cast<long>(last) - static_cast<long>(point);
  if (last < point) ++decimals;  // the point is no digit
  if (exponent_at < text.size()) decimals -= exponent_of(text.substr(exponent_at + 1));
  return static_cast<int>(std::clamp(decimals, 0L, kDecimals));
}

std::optional<PriceKey> price_key(Decimal text) {
  if (const auto key = plain_key(text)) return key;
  const bool negative = text.front() == '-';
  if (negative) text.remove_prefix(1);
  const std::size_t exponent_at = std::min(text.find_first_of("eE"), text.size());
  const Decimal mantissa = text.substr(0, exponent_at);
  long power = static_cast<long>(std::min(mantissa.find('.'), mantissa.size()));  // of the digit before
  PriceKey digits = 0;  // those up to the last one that is not 0 ...
  long last_power = 0;  // ... whose power of ten this is
  for (const char c : mantissa) {
    if (c == '.') continue;
    --power;
    if (c == '0') continue;
    if (digits != 0) {
      const auto moved = scaled(digits, last_power - power);
      if (!moved) return std::nullopt;
      digits = *moved;
    }
    digits += c - '0';
    last_power = power;
  }
  if (digits == 0) return PriceKey{0};
  if (exponent_at < text.size()) last_power += exponent_of(text.substr(exponent_at + 1));
  const auto key = scaled(digits, last_power + kDecimals);
  if (!key) return std::nullopt;
  return negative ? -*key : *key;
}

}  // namespace mdpipe::reader

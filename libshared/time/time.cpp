#include "libshared/time/time.hpp"

#include <fmt/format.h>

#include <ctime>
#include <limits>

namespace mdpipe {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::int64_t kSecondsPerDay = 86'400;

bool is_iso_digit(char c) { return c >= '0' && c <= '9'; }

// Days from 1970-01-01 of a proleptic Gregorian date (Howard Hinnant's "days_from_civil").
std::int64_t days_from_civil(std::int64_t year, int month, int day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

int days_in_month(int year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[month - 1];
}

// -1 if one of them is not a digit.
template <std::size_t Count>
int read_digits(const char* at) {
  int value = 0;
  for (std::size_t i = 0; i < Count; ++i) {
    if (!is_iso_digit(at[i])) return -1;
    value = value * 10 + (at[i] - '0');
  }
  return value;
}

// Reads ".ddd..." as nanoseconds; nothing if no digit follows the point.
std::optional<std::int64_t> read_fraction(std::string_view text) {
  std::int64_t nanos = 0;
  std::int64_t weight = kNanosPerSecond / 10;
  if (text.size() < 2) return std::nullopt;
  for (const char c : text.substr(1)) {
    if (!is_iso_digit(c)) return std::nullopt;
    nanos += (c - '0') * weight;
    weight /= 10;
  }
  return nanos;
}

}  // namespace

UnixNanos wall_now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return UnixNanos{now.tv_sec * kNanosPerSecond + now.tv_nsec};
}

std::optional<UnixNanos> parse_iso8601(std::string_view text) {
  constexpr std::size_t kSecondsEnd = 19;  // "YYYY-MM-DDTHH:MM:SS"
  if (!text.empty() && text.back() == 'Z') text.remove_suffix(1);
  if (text.size() < kSecondsEnd) return std::nullopt;
  if (text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':')
    return std::nullopt;
  const int year = read_digits<4>(text.data());
  const int month = read_digits<2>(text.data() + 5);
  const int day = read_digits<2>(text.data() + 8);
  const int hour = read_digits<2>(text.data() + 11);
  const int minute = read_digits<2>(text.data() + 14);
  const int second = read_digits<2>(text.data() + 17);
  if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) {
    return std::nullopt;
  }
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return std::nullopt;
  std::int64_t nanos = 0;
  if (text.size() > kSecondsEnd) {
    if (text[kSecondsEnd] != '.') return std::nullopt;
    const auto fraction = read_fraction(text.substr(kSecondsEnd));
    if (!fraction) return std::nullopt;
    nanos = *fraction;
  }
  const std::int64_t seconds =
      days_from_civil(year, month, day) * kSecondsPerDay + hour * 3600 + minute * 60 + second;
  return UnixNanos{seconds * kNanosPerSecond + nanos};
}

std::optional<UnixNanos> parse_epoch(std::string_view digits) {
  constexpr std::size_t kDigitsMax = 19;  // fits an int64
  if (digits.empty() || digits.size() > kDigitsMax) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (!is_iso_digit(c)) return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  constexpr std::uint64_t kMaxSeconds = 100'000'000'000;  // year 5138 in seconds, 1973 in milliseconds
  std::uint64_t nanos_per_unit = 1'000'000'000;
  for (std::uint64_t limit = kMaxSeconds; value >= limit && nanos_per_unit > 1; limit *= 1000)
    nanos_per_unit /= 1000;
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (value > kMax / nanos_per_unit) return std::nullopt;
  return UnixNanos{static_cast<std::int64_t>(value * nanos_per_unit)};
}

std::string to_iso8601(UnixNanos time) {
  std::time_t seconds = time.count / kNanosPerSecond;
  std::int64_t nanos = time.count % kNanosPerSecond;
  if (nanos < 0) {
    nanos += kNanosPerSecond;
    --seconds;
  }
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, nanos);
}

}  // namespace mdpipe

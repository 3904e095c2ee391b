#pragma once
// Numbers and times as the exchanges write them. All of it is integer arithmetic, so that no digit comes from
// floating point.
#include <cstdint>
#include <string>
#include <string_view>

#include "libshared/time/time.hpp"

namespace mdpipe::sim {

// How many digits follow the point: `decimals` are exact, trailing zeros beyond `decimals_shown_min` are
// dropped and missing ones up to it are added.
struct DecimalStyle {
  int decimals = 0;
  int decimals_shown_min = 0;
};

// Appends `units` * 10^-decimals, never negative.
void append_decimal(std::int64_t units, DecimalStyle style, std::string& out);
std::string decimal_text(std::int64_t units, DecimalStyle style);

// Inserts `entry` as the first of the list that begins with `list_start` ("\"bids\":["), if there is such a
// list.
void insert_first(std::string_view list_start, std::string_view entry, std::string& frame);

// "2025-04-30T13:09:45.326Z".
std::string iso_millis(UnixNanos time);

// "2026-09-23T03:31:25.6491037Z": up to 7 digits, trailing zeros (and then the point) dropped.
std::string iso_ticks(UnixNanos time);

inline std::int64_t epoch_millis(UnixNanos time) { return time.count / 1'000'000; }

}  // namespace mdpipe::sim

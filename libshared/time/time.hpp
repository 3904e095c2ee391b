#pragma once
// Time as types: UnixNanos is a wall-clock instant, std::chrono::steady_clock measures spans. Timestamps of
// exchanges are parsed here. Not for timers: those belong to the event loop.
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mdpipe {

// Nanoseconds since the Unix epoch, UTC. 0 means "not given".
struct UnixNanos {
  std::int64_t count = 0;

  friend bool operator==(UnixNanos a, UnixNanos b) { return a.count == b.count; }
  friend bool operator!=(UnixNanos a, UnixNanos b) { return a.count != b.count; }
  friend bool operator<(UnixNanos a, UnixNanos b) { return a.count < b.count; }
  friend std::chrono::nanoseconds operator-(UnixNanos a, UnixNanos b) {
    return std::chrono::nanoseconds(a.count - b.count);
  }
};

using SteadyTime = std::chrono::steady_clock::time_point;

UnixNanos wall_now();
inline SteadyTime steady_now() { return std::chrono::steady_clock::now(); }

// One reading of both clocks. Spans and timeouts are measured with `steady` only; `wall` is what people and
// consumers read.
struct Moment {
  UnixNanos wall;
  SteadyTime steady;
};

inline Moment moment_now() { return {wall_now(), steady_now()}; }

// Parses "YYYY-MM-DDTHH:MM:SS[.fraction][Z]" in UTC, 0 to 9 or more fractional digits (digits beyond the
// ninth are cut). Offsets other than Z are refused. Returns nothing where the text is not such a time or lies
// outside 1970-2261.
std::optional<UnixNanos> parse_iso8601(std::string_view text);

// Reads an integer timestamp whose unit is told by its magnitude: seconds, milliseconds, microseconds or
// nanoseconds. Exact for instants from 2001 to 2262. Returns nothing for text that is not 1 to 19 digits.
std::optional<UnixNanos> parse_epoch(std::string_view digits);

// "2026-09-23T03:25:47.765000000Z", for logs and notes.
std::string to_iso8601(UnixNanos time);

}  // namespace mdpipe

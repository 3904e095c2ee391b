#pragma once
// Log lines in pino's JSON: `level` 10..60, `time` in ms, `pid`, `hostname`, `name`, `msg`, then fields.
// Market events are not logged. INFO: the program's lifecycle. WARN: something went wrong but no data was
// lost. ERROR: data was lost, or a person must act.
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "libshared/time/time.hpp"

namespace mdpipe::log {

enum class Level { Trace = 10, Debug = 20, Info = 30, Warn = 40, Error = 50, Fatal = 60 };

// "trace" ... "fatal": pino's names.
std::optional<Level> parse_level(std::string_view name);

// Raw JSON text as a field's value.
struct Json {
  std::string_view text;
};

struct Field {
  std::string_view key;
  std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool, Json> value;

  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, bool v) : key(k), value(v) {}
  Field(std::string_view k, double v) : key(k), value(v) {}
  Field(std::string_view k, Json v) : key(k), value(v) {}
  Field(std::string_view k, int v) : key(k), value(static_cast<std::int64_t>(v)) {}
  Field(std::string_view k, long v) : key(k), value(static_cast<std::int64_t>(v)) {}
  Field(std::string_view k, unsigned v) : key(k), value(static_cast<std::uint64_t>(v)) {}
  Field(std::string_view k, unsigned long v) : key(k), value(static_cast<std::uint64_t>(v)) {}
};
using Fields = std::initializer_list<Field>;

// Call once, before the first line. `fd` is 1, or 2 if standard output carries data.
void configure(std::string name, Level level, int fd);
void set_level(Level level);

void write(Level level, std::string_view msg, Fields fields = {});
// `members` is raw JSON text instead of fields: "a":1,"b":2
void write_members(Level level, std::string_view msg, std::string_view members);
inline void debug(std::string_view msg, Fields fields = {}) { write(Level::Debug, msg, fields); }
inline void info(std::string_view msg, Fields fields = {}) { write(Level::Info, msg, fields); }
inline void warn(std::string_view msg, Fields fields = {}) { write(Level::Warn, msg, fields); }
inline void error(std::string_view msg, Fields fields = {}) { write(Level::Error, msg, fields); }

// Formats one line without its line end; separate from write so that a test compares text.
std::string format_line(Level level, std::string_view name, UnixNanos time, std::string_view msg,
                        Fields fields);

// Admits one repeat in each interval and counts the others.
//   if (const auto suppressed = limit.admit(now)) log::warn("...", {{"suppressed", *suppressed}});
class RateLimit {
 public:
  explicit RateLimit(std::chrono::nanoseconds interval = std::chrono::seconds(1)) : interval_(interval) {}

  // The number of repeats suppressed since the last admitted one, or nothing if this one is suppressed too.
  std::optional<std::uint64_t> admit(SteadyTime now);

 private:
  std::chrono::nanoseconds interval_;
  std::optional<SteadyTime> last_;
  std::uint64_t suppressed_ = 0;
};

}  // namespace mdpipe::log

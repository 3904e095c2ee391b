#include "libshared/log/log.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cmath>
#include <utility>

#include "libshared/json/json_string.hpp"
#include "libshared/text/format.hpp"

namespace mdpipe::log {
namespace {

struct State {
  std::string name = "mdpipe";
  Level level = Level::Info;
  int fd = STDOUT_FILENO;
};

// Set at the start and on a reload, by the one thread that logs.
State& state() {
  static State instance;
  return instance;
}

const std::string& hostname() {
  static const std::string name = [] {
    std::array<char, HOST_NAME_MAX + 1> buffer{};
    return gethostname(buffer.data(), buffer.size() - 1) == 0 ? std::string(buffer.data())
                                                              : std::string("unknown");
  }();
  return name;
}

struct ValueWriter {
  std::string& out;

  void operator()(std::string_view text) const { append_json_string(valid_utf8(text), out); }
  void operator()(std::int64_t number) const { append_format(out, "{}", number); }
  void operator()(std::uint64_t number) const { append_format(out, "{}", number); }
  void operator()(double number) const {
    if (std::isfinite(number)) {
      append_format(out, "{}", number);
    } else {
      out += "null";
    }
  }
  void operator()(bool value) const { out += value ? "true" : "false"; }
  void operator()(Json json) const { out += json.text; }
};

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // a log that cannot be written must not stop the collector
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

std::optional<Level> parse_level(std::string_view name) {
  constexpr std::pair<std::string_view, Level> kLevels[] = {
      {"trace", Level::Trace}, {"debug", Level::Debug}, {"info", Level::Info},
      {"warn", Level::Warn},   {"error", Level::Error}, {"fatal", Level::Fatal},
  };
  for (const auto& [known, level] : kLevels) {
    if (known == name) return level;
  }
  return std::nullopt;
}

void configure(std::string name, Level level, int fd) { state() = State{std::move(name), level, fd}; }

void set_level(Level level) { state().level = level; }

std::string format_line(Level level, std::string_view name, UnixNanos time, std::string_view msg,
                        Fields fields) {
  std::string line = fmt::format(R"({{"level":{},"time":{},"pid":{},"hostname":)", static_cast<int>(level),
                                 time.count / 1'000'000, getpid());
  append_json_string(valid_utf8(hostname()), line);
  line += R"(,"name":)";
  append_json_string(valid_utf8(name), line);
  line += R"(,"msg":)";
  append_json_string(valid_utf8(msg), line);
  for (const Field& field : fields) {
    line += ',';
    append_json_string(valid_utf8(field.key), line);
    line += ':';
    std::visit(ValueWriter{line}, field.value);
  }
  line += '}';
  return line;
}

void write(Level level, std::string_view msg, Fields fields) {
  if (level < state().level) return;
  std::string line = format_line(level, state().name, wall_now(), msg, fields);
  line += '\n';
  write_all(state().fd, line);
}

void write_members(Level level, std::string_view msg, std::string_view members) {
  if (level < state().level) return;
  std::string line = format_line(level, state().name, wall_now(), msg, {});
  line.back() = ',';  // instead of the brace
  line.append(members).append("}\n");
  write_all(state().fd, line);
}

std::optional<std::uint64_t> RateLimit::admit(SteadyTime now) {
  if (last_ && now - *last_ < interval_) {
    ++suppressed_;
    return std::nullopt;
  }
  last_ = now;
  return std::exchange(suppressed_, 0);
}

}  // namespace mdpipe::log

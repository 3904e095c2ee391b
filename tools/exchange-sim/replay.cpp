#include "tools/exchange-sim/replay.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <utility>

namespace mdpipe::sim {
namespace {

bool strip_suffix(std::string_view& text, std::string_view suffix) {
  if (text.size() < suffix.size() || text.substr(text.size() - suffix.size()) != suffix) return false;
  text.remove_suffix(suffix.size());
  return true;
}

}  // namespace

std::string recording_stem(std::string_view path) {
  strip_suffix(path, ".gz");
  strip_suffix(path, ".jsonl");
  return std::string(path);
}

std::optional<std::chrono::nanoseconds> parse_epoch_seconds(std::string_view text) {
  constexpr std::size_t kFractionDigits = 9;
  const std::size_t point = std::min(text.find('.'), text.size());
  std::string digits(text.substr(0, point));
  std::string fraction(text.substr(std::min(point + 1, text.size())));
  fraction.resize(kFractionDigits, '0');
  digits += fraction;
  std::int64_t nanos = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), nanos);
  if (point == 0 || ec != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return std::chrono::nanoseconds(nanos);
}

Result<LineReader> LineReader::open(const std::string& path) {
  gzFile file = gzopen(path.c_str(), "rbe");
  if (file == nullptr) {
    return Error{ErrorKind::BadConfig,
                 fmt::format("--replay: cannot open '{}': {}", path, std::strerror(errno))};
  }
  constexpr unsigned kBufferBytes = 1U << 17U;
  gzbuffer(file, kBufferBytes);
  return LineReader(path, file);
}

Result<std::optional<std::string>> LineReader::next() {
  std::string line;
  std::array<char, 8192> piece{};
  while (gzgets(file_.get(), piece.data(), static_cast<int>(piece.size())) != nullptr) {
    line += piece.data();
    if (line.size() > kLineBytesMax) {
      return Error{ErrorKind::Protocol,
                   fmt::format("{}: a line is longer than {} bytes", path_, kLineBytesMax)};
    }
    if (line.back() != '\n') continue;
    line.pop_back();
    if (!line.empty() && line.back() == '\r') line.pop_back();
    return std::optional<std::string>(std::move(line));
  }
  int code = Z_OK;
  const char* why = gzerror(file_.get(), &code);
  if (code != Z_OK && code != Z_STREAM_END) {
    return Error{ErrorKind::Protocol, fmt::format("{}: cannot read on: {}", path_, why)};
  }
  if (!line.empty()) return std::optional<std::string>(std::move(line));  // the last line has no end
  return std::optional<std::string>();
}

Result<Replay> Replay::open(const std::string& path) {
  auto frames = LineReader::open(path);
  if (!frames) return frames.error();
  Replay replay(std::move(frames.value()));
  for (const char* suffix : {".recv", ".recv.gz"}) {
    const std::string times_path = recording_stem(path) + suffix;
    if (!std::filesystem::exists(times_path)) continue;
    auto times = LineReader::open(times_path);
    if (!times) return times.error();
    replay.times_ = std::move(times.value());
    break;
  }
  return replay;
}

Result<std::optional<ReplayFrame>> Replay::next() {
  auto line = frames_.next();
  if (!line) return line.error();
  if (!line.value()) return std::optional<ReplayFrame>();
  ReplayFrame frame{std::move(*line.value()), std::nullopt};
  if (times_) {
    const auto text = times_->next();
    if (!text) return text.error();
    const auto time = text.value() ? parse_epoch_seconds(*text.value()) : std::nullopt;
    if (!time) {
      return Error{ErrorKind::Protocol,
                   "--replay: the .recv file needs one time in epoch seconds for each frame"};
    }
    if (!first_) first_ = time;
    frame.offset = *time - *first_;
  }
  return std::optional<ReplayFrame>(std::move(frame));
}

}  // namespace mdpipe::sim

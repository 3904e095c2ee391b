#pragma once
// A recording read frame by frame: FILE.jsonl[.gz] with one raw text frame a line and, if it exists,
// FILE.recv[.gz] with each frame's receive time in epoch seconds. Never holds more than one frame.
#include <zlib.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libshared/result/result.hpp"

namespace mdpipe::sim {

struct ReplayFrame {
  std::string text;
  // The time since the first frame, at the recorded pace; nothing if the recording has no times.
  std::optional<std::chrono::nanoseconds> offset;
};

// Lines of a file, plain or gzip.
class LineReader {
 public:
  static constexpr std::size_t kLineBytesMax = 64U << 20U;

  static Result<LineReader> open(const std::string& path);
  // The next line without its end; nothing at the end of the file.
  Result<std::optional<std::string>> next();

 private:
  struct Close {
    void operator()(gzFile_s* file) const { gzclose(file); }
  };
  LineReader(std::string path, gzFile file) : path_(std::move(path)), file_(file) {}

  std::string path_;
  std::unique_ptr<gzFile_s, Close> file_;
};

class Replay {
 public:
  // BadConfig if the recording cannot be read.
  static Result<Replay> open(const std::string& path);

  // The next frame; nothing after the last one. Protocol if the recording is damaged or its times end too
  // early.
  Result<std::optional<ReplayFrame>> next();
  [[nodiscard]] bool has_times() const { return times_.has_value(); }

 private:
  explicit Replay(LineReader frames) : frames_(std::move(frames)) {}

  LineReader frames_;
  std::optional<LineReader> times_;
  std::optional<std::chrono::nanoseconds> first_;
};

// "x/a.jsonl.gz" -> "x/a": the name of FILE.recv without its extension.
std::string recording_stem(std::string_view path);

// "1723161253.937085" to the nanosecond, without floating point; nothing for other text.
std::optional<std::chrono::nanoseconds> parse_epoch_seconds(std::string_view text);

}  // namespace mdpipe::sim

#pragma once
// Reads lines from a descriptor inside the loop: a pipe, a terminal or a regular file. Can be paused while
// the link is slower than the input.
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace mdpipe::reader {

struct LineCallbacks {
  std::function<void(std::string_view line)> on_line;  // without its line end; valid during the call
  std::function<void(std::size_t bytes)> on_too_long;  // a line over the limit was skipped
  std::function<void()> on_end;                        // nothing more will come
};

class LineReader {
 public:
  LineReader(asio::io_context& io, int fd, std::size_t line_bytes_max, LineCallbacks callbacks);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  void start() { read_more(); }
  void pause() { paused_ = true; }
  void resume();
  void stop();

 private:
  void read_more();
  void on_readable();
  void split(std::string_view bytes);
  void finish_line(std::string_view rest);

  asio::io_context& io_;
  int fd_;
  std::size_t line_bytes_max_;
  LineCallbacks callbacks_;
  std::optional<asio::posix::stream_descriptor>
      descriptor_;  // empty for a regular file, which is always readable
  std::string chunk_;
  std::string partial_;      // a line whose end was not read yet
  std::size_t skipped_ = 0;  // bytes read of a line that is too long
  bool paused_ = false;
  bool waiting_ = false;
  bool stopped_ = false;
};

}  // namespace mdpipe::reader

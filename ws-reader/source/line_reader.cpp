#include "ws-reader/source/line_reader.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <asio/post.hpp>
#include <cerrno>

namespace mdpipe::reader {
namespace {

constexpr std::size_t kChunkBytes = 64U << 10U;

bool is_regular_file(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace

LineReader::LineReader(asio::io_context& io, int fd, std::size_t line_bytes_max, LineCallbacks callbacks)
    : io_(io),
      fd_(fd),
      line_bytes_max_(line_bytes_max),
      callbacks_(std::move(callbacks)),
      chunk_(kChunkBytes, '\0') {
  if (!is_regular_file(fd)) descriptor_.emplace(io, fd);
}

LineReader::~LineReader() {
  if (descriptor_) descriptor_->release();  // standard input is not ours to close
}

void LineReader::resume() {
  paused_ = false;
  if (!waiting_ && !stopped_) read_more();
}

void LineReader::stop() {
  stopped_ = true;
  asio::error_code ec;
  if (descriptor_) descriptor_->cancel(ec);
}

void LineReader::read_more() {
  if (waiting_) return;  // resumed from a line that was just read
  waiting_ = true;
  const auto go_on = [this] {
    waiting_ = false;
    if (!stopped_ && !paused_) on_readable();
  };
  if (!descriptor_) {
    asio::post(io_, go_on);
    return;
  }
  descriptor_->async_wait(asio::posix::stream_descriptor::wait_read, [go_on](const asio::error_code& ec) {
    if (!ec) go_on();
  });
}

void LineReader::on_readable() {
  const ssize_t bytes = ::read(fd_, chunk_.data(), chunk_.size());
  if (bytes < 0 && (errno == EINTR || errno == EAGAIN)) return read_more();
  if (bytes <= 0) {
    stopped_ = true;
    finish_line({});
    return callbacks_.on_end();
  }
  split(std::string_view(chunk_).substr(0, static_cast<std::size_t>(bytes)));
  if (!paused_ && !stopped_) read_more();
}

void LineReader::split(std::string_view bytes) {
  for (std::size_t end = bytes.find('\n'); end != std::string_view::npos; end = bytes.find('\n')) {
    finish_line(bytes.substr(0, end));
    bytes.remove_prefix(end + 1);
  }
  if (skipped_ > 0 || partial_.size() + bytes.size() > line_bytes_max_) {
    skipped_ += partial_.size() + bytes.size();
    partial_.clear();
  } else {
    partial_.append(bytes);
  }
}

void LineReader::finish_line(std::string_view rest) {
  const std::size_t length = skipped_ + partial_.size() + rest.size();
  if (length > line_bytes_max_) {
    callbacks_.on_too_long(length);
  } else if (partial_.empty()) {
    if (!rest.empty()) callbacks_.on_line(rest);
  } else {
    partial_.append(rest);
    callbacks_.on_line(partial_);
  }
  partial_.clear();
  skipped_ = 0;
}

}  // namespace mdpipe::reader

// Records when each entry of the benchmark's streams becomes visible: reads the streams with XREAD BLOCK as a
// strategy does, and stores the time at which each answer arrived. It only counts entries: the n-th entry of
// a stream is the n-th frame of its kind, because every collector keeps their order. Usage: bench-watch
// REDIS-PORT TABLE-FILE STREAM...; SIGTERM writes the table: rows of two int64, stream and ns since 1970.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace mdpipe::bench {
namespace {

struct Seen {
  std::int64_t stream, at;
};

std::int64_t now_ns() {
  constexpr std::int64_t kNsPerSecond = 1'000'000'000;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * kNsPerSecond + now.tv_nsec;
}

// Walks a reply without making objects of it: at this rate hiredis's objects would cost more than Redis.
class ReplyWalker {
 public:
  explicit ReplyWalker(std::string_view bytes) : left_(bytes), size_(bytes.size()) {}

  // Of '*': the number of elements; -1 is nil. Of '$': the text is kept. Nothing if more bytes are needed.
  std::optional<std::int64_t> head() {
    const std::size_t end = left_.find("\r\n");
    if (end == std::string_view::npos) return std::nullopt;
    const char kind = left_.front();
    std::int64_t number = 0;
    std::from_chars(left_.data() + 1, left_.data() + end, number);
    if (kind == '-') throw std::runtime_error(std::string(left_.substr(0, end)));
    left_.remove_prefix(end + 2);
    if (kind != '$' || number < 0) return number;
    const auto bytes = static_cast<std::size_t>(number);
    if (left_.size() < bytes + 2) return std::nullopt;
    text_ = left_.substr(0, bytes);
    left_.remove_prefix(bytes + 2);
    return number;
  }

  // False if more bytes are needed.
  bool skip(int values) {
    for (std::int64_t waiting = values; waiting > 0; --waiting) {
      const bool is_array = !left_.empty() && left_.front() == '*';
      const auto number = head();
      if (!number) return false;
      if (is_array && *number > 0) waiting += *number;
    }
    return true;
  }
  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] std::size_t used() const { return size_ - left_.size(); }

 private:
  std::string_view left_;
  std::size_t size_;
  std::string_view text_;
};

struct Stream {
  std::string name, last_id = "0", next_id;
  std::size_t entries = 0;  // in the reply being read
};

class Watch {
 public:
  Watch(int fd, std::vector<Stream> streams) : fd_(fd), streams_(std::move(streams)) {}

  // Until the socket ends or a signal comes.
  void run() {
    for (;;) {
      if (!ask() || !await_reply()) return;
      for (std::size_t i = 0; i < streams_.size(); ++i) {
        seen_.insert(seen_.end(), streams_[i].entries, {static_cast<std::int64_t>(i), arrived_});
        if (streams_[i].entries > 0) streams_[i].last_id = streams_[i].next_id;
      }
    }
  }
  [[nodiscard]] const std::vector<Seen>& seen() const { return seen_; }

 private:
  bool ask() {
    request_ = fmt::format("*{}\r\n", 6 + 2 * streams_.size());
    for (const std::string_view word : {"XREAD", "COUNT", "1000", "BLOCK", "0", "STREAMS"}) append(word);
    for (const Stream& stream : streams_) append(stream.name);
    for (const Stream& stream : streams_) append(stream.last_id);
    return ::send(fd_, request_.data(), request_.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(request_.size());
  }
  void append(std::string_view word) { request_ += fmt::format("${}\r\n{}\r\n", word.size(), word); }

  bool await_reply() {
    constexpr std::size_t kRoom = 1U << 20U;
    std::size_t filled = 0;
    do {
      if (buffer_.size() < filled + kRoom) buffer_.resize(2 * (filled + kRoom));
      const ssize_t got = ::recv(fd_, buffer_.data() + filled, buffer_.size() - filled, 0);
      if (got <= 0) return false;
      arrived_ = now_ns();
      filled += static_cast<std::size_t>(got);
    } while (!read_reply({buffer_.data(), filled}));
    return true;
  }

  // [[stream, [[id, [field, value, ...]], ...]], ...]
  bool read_reply(std::string_view reply) {
    for (Stream& stream : streams_) stream.entries = 0;
    ReplyWalker walker(reply);
    const auto streams = walker.head();
    if (!streams) return false;
    for (std::int64_t i = 0; i < *streams; ++i) {
      if (!walker.head() || !walker.head()) return false;
      Stream& stream = find(walker.text());
      const auto entries = walker.head();
      if (!entries) return false;
      for (std::int64_t entry = 0; entry < *entries; ++entry) {
        if (!walker.head() || !walker.head()) return false;
        stream.next_id = walker.text();
        if (!walker.skip(1)) return false;
      }
      stream.entries = static_cast<std::size_t>(*entries);
    }
    return true;
  }

  Stream& find(std::string_view name) {
    for (Stream& stream : streams_)
      if (stream.name == name) return stream;
    throw std::runtime_error("an answer names a stream that nobody asked for");
  }

  int fd_;
  std::vector<Stream> streams_;
  std::string request_;
  std::vector<char> buffer_;
  std::int64_t arrived_ = 0;
  std::vector<Seen> seen_;
};

void on_signal(int) {}

int connect_to(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("no connection to Redis");
  return fd;
}

int watch(const std::vector<std::string>& arguments) {
  struct sigaction action {};
  action.sa_handler = on_signal;  // interrupts recv, which ends the run
  sigaction(SIGTERM, &action, nullptr);
  std::vector<Stream> streams;
  for (std::size_t i = 2; i < arguments.size(); ++i) streams.push_back({arguments[i], "0", {}, 0});
  Watch watch(connect_to(std::stoi(arguments[0])), std::move(streams));
  watch.run();
  std::ofstream file(arguments[1], std::ios::binary);
  file.write(reinterpret_cast<const char*>(watch.seen().data()),
             static_cast<std::streamsize>(watch.seen().size() * sizeof(Seen)));
  return file.good() ? 0 : 1;
}

}  // namespace
}  // namespace mdpipe::bench

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: bench-watch REDIS-PORT TABLE-FILE STREAM...\n");
    return 64;
  }
  try {
    return mdpipe::bench::watch({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench-watch: {}\n", error.what());
    return 69;
  }
}

#pragma once
// The control socket: a UNIX stream socket that reads one command a line and answers each with one line of
// JSON. At most kClientsMax clients and kLineBytesMax bytes a line; a client that exceeds a limit is
// disconnected.
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <functional>
#include <string>
#include <string_view>

namespace mdpipe::sim {

class Control {
 public:
  static constexpr int kClientsMax = 8;
  static constexpr std::size_t kLineBytesMax = 1024;
  using Handler = std::function<std::string(std::string_view line)>;

  // Replaces a stale socket file. Throws process::StartupError if the path cannot be bound.
  Control(asio::io_context& io, const std::string& path, Handler handler);
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

 private:
  struct Client;
  void accept();

  std::string path_;
  asio::local::stream_protocol::acceptor acceptor_;
  Handler handler_;
  int clients_ = 0;
};

}  // namespace mdpipe::sim

#include "tools/exchange-sim/control.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <asio/buffer.hpp>
#include <asio/read_until.hpp>
#include <asio/streambuf.hpp>
#include <asio/write.hpp>
#include <istream>
#include <memory>
#include <utility>

#include "libshared/process/exit_code.hpp"

namespace mdpipe::sim {

// Exists as long as an operation of its socket is pending. The Control outlives the loop that runs them.
struct Control::Client : std::enable_shared_from_this<Control::Client> {
  Client(Control& owner, asio::local::stream_protocol::socket peer)
      : control(owner), socket(std::move(peer)), input(kLineBytesMax) {
    ++control.clients_;
  }
  ~Client() { --control.clients_; }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void read() {
    asio::async_read_until(
        socket, input, '\n', [self = shared_from_this()](const asio::error_code& ec, std::size_t) {
          if (ec) return;  // disconnected, or a line beyond the limit: the socket closes with the client
          std::istream lines(&self->input);
          std::string line;
          std::getline(lines, line);
          self->answer = self->control.handler_(line) + "\n";
          self->write();
        });
  }

  void write() {
    asio::async_write(socket, asio::buffer(answer),
                      [self = shared_from_this()](const asio::error_code& ec, std::size_t) {
                        if (!ec) self->read();
                      });
  }

  Control& control;
  asio::local::stream_protocol::socket socket;
  asio::streambuf input;
  std::string answer;
};

Control::Control(asio::io_context& io, const std::string& path, Handler handler)
    : path_(path), acceptor_(io), handler_(std::move(handler)) {
  ::unlink(path.c_str());
  try {
    const asio::local::stream_protocol::endpoint endpoint(path);
    acceptor_.open(endpoint.protocol());
    acceptor_.bind(endpoint);
    acceptor_.listen();
  } catch (const std::system_error& error) {
    throw process::StartupError{Error{
        ErrorKind::BadConfig,
        fmt::format("--control '{}': {}; give a path that can be created", path, error.code().message())}};
  }
  accept();
}

Control::~Control() { ::unlink(path_.c_str()); }

void Control::accept() {
  acceptor_.async_accept([this](const asio::error_code& ec, asio::local::stream_protocol::socket peer) {
    if (ec) return;
    if (clients_ < kClientsMax) std::make_shared<Client>(*this, std::move(peer))->read();
    accept();
  });
}

}  // namespace mdpipe::sim

#include "libshared/transport/socket.hpp"

#include <fmt/format.h>

#include <asio/post.hpp>
#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include "libshared/process/exit_code.hpp"
#include "libshared/transport/endpoint.hpp"

namespace mdpipe::transport {
namespace {

[[noreturn]] void fail(std::string_view action, const std::string& endpoint, const zmq::error_t& error) {
  const bool taken = error.num() == EADDRINUSE;
  throw process::StartupError{Error{
      taken ? ErrorKind::Unavailable : ErrorKind::BadConfig,
      fmt::format("cannot {} '{}': {}; {}", action, endpoint, error.what(),
                  taken ? "stop whoever listens there or configure another endpoint"
                        : "the folder of an ipc path must exist and be writable, a tcp host must be local")}};
}

// A signal that arrives while ZeroMQ reads its own commands ends the call with EINTR before it has done
// anything.
template <typename Call>
bool repeat_interrupted(Call call) {
  for (;;) {
    try {
      return call().has_value();
    } catch (const zmq::error_t& error) {
      if (error.num() != EINTR) throw;
    }
  }
}

}  // namespace

Socket::Socket(asio::io_context& io, zmq::context_t& context, zmq::socket_type type, SocketLimits limits)
    : io_(io), socket_(context, type), descriptor_(io, socket_.get(zmq::sockopt::fd)) {
  socket_.set(zmq::sockopt::linger, 0);
  socket_.set(zmq::sockopt::sndhwm, limits.high_water_mark);
  socket_.set(zmq::sockopt::rcvhwm, limits.high_water_mark);
  socket_.set(zmq::sockopt::maxmsgsize, limits.message_bytes_max);
  socket_.set(zmq::sockopt::reconnect_ivl, 50);
  socket_.set(zmq::sockopt::reconnect_ivl_max, 1000);
  // How long a peer whose key is refused waits before it tries again.
  socket_.set(zmq::sockopt::handshake_ivl, 5000);
  // How long sent data may stay unacknowledged: then the connection is closed, and the data is sent again.
  socket_.set(zmq::sockopt::tcp_maxrt, 30'000);
  // The kernel notices within half a minute that a peer's host has vanished. ZeroMQ's own heartbeats stay
  // off: they mistake a connection whose input queue is full for a dead one, and libzmq 4.3 then ends the
  // program with an assertion (libzmq issues 3937 and 4767).
  socket_.set(zmq::sockopt::tcp_keepalive, 1);
  socket_.set(zmq::sockopt::tcp_keepalive_idle, 15);
  socket_.set(zmq::sockopt::tcp_keepalive_intvl, 5);
  socket_.set(zmq::sockopt::tcp_keepalive_cnt, 3);
}

Socket::~Socket() {
  descriptor_.release();  // the descriptor is ZeroMQ's: never close it
}

void Socket::bind(const Endpoint& endpoint) {
  auto lock = guard_bind(endpoint.address);
  if (!lock) throw process::StartupError{lock.error()};
  lock_ = std::move(lock.value());
  try {
    secure(endpoint);
    socket_.bind(endpoint.address);
  } catch (const zmq::error_t& error) {
    fail("listen on", endpoint.address, error);
  }
}

void Socket::connect(const Endpoint& endpoint) {
  try {
    secure(endpoint);
    socket_.connect(endpoint.address);
  } catch (const zmq::error_t& error) {
    fail("connect to", endpoint.address, error);
  }
}

void Socket::secure(const Endpoint& endpoint) {
  if (endpoint.address.find('[') != std::string::npos) socket_.set(zmq::sockopt::ipv6, true);
  if (!endpoint.own) return;
  socket_.set(zmq::sockopt::curve_secretkey, endpoint.own->secret_key);
  if (endpoint.server_key.empty()) {
    socket_.set(zmq::sockopt::curve_server, true);
    socket_.set(zmq::sockopt::zap_domain, endpoint.name);
  } else {
    socket_.set(zmq::sockopt::curve_publickey, endpoint.own->public_key);
    socket_.set(zmq::sockopt::curve_serverkey, endpoint.server_key);
  }
}

void Socket::on_ready(std::function<bool()> handler) {
  handler_ = std::move(handler);
  schedule();
  wait();
}

bool Socket::send(std::string_view bytes, zmq::send_flags flags) {
  return repeat_interrupted(
      [&] { return socket_.send(zmq::buffer(bytes), flags | zmq::send_flags::dontwait); });
}

bool Socket::send(zmq::message_t&& message, zmq::send_flags flags) {
  return repeat_interrupted(
      [&] { return socket_.send(std::move(message), flags | zmq::send_flags::dontwait); });
}

zmq::message_t take_message(wire::ByteBuffer bytes) {
  auto owned = std::make_unique<wire::ByteBuffer>(std::move(bytes));
  zmq::message_t message(
      owned->data(), owned->size(), [](void*, void* hint) { delete static_cast<wire::ByteBuffer*>(hint); },
      owned.get());
  static_cast<void>(owned.release());  // the message owns it now
  return message;
}

bool Socket::receive(zmq::message_t& message) {
  return repeat_interrupted([&] { return socket_.recv(message, zmq::recv_flags::dontwait); });
}

void Socket::rearm() {
  if (handler_) schedule();
}

void Socket::wait() {
  descriptor_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const asio::error_code& ec) {
    if (ec) return;
    // Clear the descriptor's event before the handler runs. Otherwise a handler that reads nothing would
    // leave it readable, and the loop would spin. The next event makes it readable again.
    repeat_interrupted([&] { return std::optional<int>(socket_.get(zmq::sockopt::events)); });
    run_handler();
    wait();
  });
}

void Socket::schedule() {
  if (scheduled_) return;
  scheduled_ = true;
  asio::post(io_, [this] {
    scheduled_ = false;
    run_handler();
  });
}

void Socket::run_handler() {
  if (handler_()) schedule();
}

}  // namespace mdpipe::transport

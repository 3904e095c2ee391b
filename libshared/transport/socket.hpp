#pragma once
// A ZeroMQ socket in an Asio loop. ZeroMQ signals through an edge-triggered descriptor that means "check
// again". So a handler must read until EAGAIN, check ZMQ_EVENTS after each send, and must not wait while
// messages are left.
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <zmq.hpp>

#include "libshared/process/lock_file.hpp"
#include "libshared/transport/security.hpp"
#include "libshared/wire/byte_buffer.hpp"

namespace mdpipe::transport {

struct SocketLimits {
  int high_water_mark = 1000;                 // messages queued in each direction by ZeroMQ itself
  std::int64_t message_bytes_max = 64 << 20;  // a larger message closes the peer's connection
};

class Socket {
 public:
  // Throws process::StartupError if the socket cannot be created.
  Socket(asio::io_context& io, zmq::context_t& context, zmq::socket_type type, SocketLimits limits = {});
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  // Both throw process::StartupError with a sentence that names the endpoint. bind also takes the guarding
  // lock.
  // A bound tcp endpoint with a key needs a Gatekeeper in this context.
  void bind(const Endpoint& endpoint);
  void connect(const Endpoint& endpoint);
  void subscribe(std::string_view topic) { socket_.set(zmq::sockopt::subscribe, zmq::buffer(topic)); }

  // Calls `on_ready` in the loop whenever the socket may have become readable or writable. The handler does
  // bounded work. If it stops with work left, it returns true and is called again after the loop's other
  // handlers.
  void on_ready(std::function<bool()> handler);

  // One part; false if it would block (EAGAIN).
  bool send(std::string_view bytes, zmq::send_flags flags = zmq::send_flags::none);
  bool send(zmq::message_t&& message, zmq::send_flags flags = zmq::send_flags::none);
  bool receive(zmq::message_t& message);

  // Call after sending or receiving outside the handler: checks ZMQ_EVENTS again.
  void rearm();

  zmq::socket_t& raw() { return socket_; }
  // The address at which a bound socket listens ("tcp://127.0.0.1:40123" for port 0).
  [[nodiscard]] std::string last_endpoint() const { return socket_.get(zmq::sockopt::last_endpoint); }

 private:
  void secure(const Endpoint& endpoint);
  void wait();
  void run_handler();
  void schedule();

  asio::io_context& io_;
  zmq::socket_t socket_;
  asio::posix::stream_descriptor descriptor_;
  std::function<bool()> handler_;
  std::optional<process::LockFile> lock_;
  bool scheduled_ = false;
};

// A message of these bytes, which are moved and not copied.
zmq::message_t take_message(wire::ByteBuffer bytes);

inline std::string_view view(const zmq::message_t& message) {
  return {static_cast<const char*>(message.data()), message.size()};
}

}  // namespace mdpipe::transport

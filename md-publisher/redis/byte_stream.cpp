#include "md-publisher/redis/byte_stream.hpp"

#include <asio/connect.hpp>
#include <asio/generic/stream_protocol.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/write.hpp>
#include <utility>

#include "md-publisher/redis/tls_stream.hpp"

namespace mdpipe::publisher {
namespace {

// Handlers keep the socket alive and are silent once the stream was closed.
template <typename Protocol>
struct State {
  explicit State(asio::io_context& io) : socket(io) {}
  typename Protocol::socket socket;
  bool closed = false;
};

template <typename Protocol>
class SocketStream : public ByteStream {
 public:
  explicit SocketStream(asio::io_context& io) : state_(std::make_shared<State<Protocol>>(io)) {}
  ~SocketStream() override { shut(); }

  void read_some(char* buffer, std::size_t bytes, Received received) override {
    state_->socket.async_read_some(
        asio::buffer(buffer, bytes),
        [state = state_, received = std::move(received)](const auto& ec, std::size_t count) {
          if (!state->closed) received(ec, count);
        });
  }

  void expect(std::size_t bytes) override {
    if (std::exchange(expected_, bytes) == bytes) return;
    asio::error_code ignored;
    state_->socket.set_option(asio::socket_base::receive_low_watermark(static_cast<int>(bytes)), ignored);
  }

  void write(std::string_view bytes, Done done) override {
    asio::async_write(state_->socket, asio::buffer(bytes.data(), bytes.size()),
                      [state = state_, done = std::move(done)](const auto& ec, std::size_t) {
                        if (!state->closed) done(ec);
                      });
  }

  void close() override { shut(); }

 protected:
  std::shared_ptr<State<Protocol>> state_;

 private:
  void shut() {
    state_->closed = true;
    asio::error_code ec;
    state_->socket.close(ec);
  }

  std::size_t expected_ = 1;  // what the socket was told last
};

class TcpStream final : public SocketStream<asio::ip::tcp> {
 public:
  TcpStream(asio::io_context& io, const RedisAddress& address)
      : SocketStream(io), resolver_(io), address_(address) {}

  void connect(Done done) override {
    resolver_.async_resolve(
        address_.host, address_.port, [state = state_, done](const auto& ec, const auto& endpoints) {
          if (state->closed) return;
          if (ec) return done(ec);
          asio::async_connect(state->socket, endpoints, [state, done](const auto& error, const auto&) {
            if (state->closed) return;
            asio::error_code ignored;
            if (!error) state->socket.set_option(asio::ip::tcp::no_delay(true), ignored);
            done(error);
          });
        });
  }

 private:
  asio::ip::tcp::resolver resolver_;
  RedisAddress address_;
};

class UnixStream final : public SocketStream<asio::local::stream_protocol> {
 public:
  UnixStream(asio::io_context& io, std::string path) : SocketStream(io), path_(std::move(path)) {}

  void connect(Done done) override {
    state_->socket.async_connect(asio::local::stream_protocol::endpoint(path_),
                                 [state = state_, done](const auto& ec) {
                                   if (!state->closed) done(ec);
                                 });
  }

 private:
  std::string path_;
};

}  // namespace

std::unique_ptr<ByteStream> ByteStream::make(asio::io_context& io, const RedisAddress& address) {
  if (!address.unix_path.empty()) return std::make_unique<UnixStream>(io, address.unix_path);
  if (address.is_tls) return make_tls_stream(io, address);
  return std::make_unique<TcpStream>(io, address);
}

}  // namespace mdpipe::publisher

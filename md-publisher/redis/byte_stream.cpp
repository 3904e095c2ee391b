#include "md-publisher/redis/byte_stream.hpp"

#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>
#include <utility>

#include "md-publisher/redis/tls_stream.hpp"

namespace mdpipe::publisher {
namespace {

using asio::generic::stream_protocol;

// Handlers keep the socket alive and are silent once the stream was closed.
struct State {
  explicit State(asio::io_context& io) : socket(io) {}
  stream_protocol::socket socket;
  bool closed = false;
};

// TCP or a Unix socket, as the address says.
class SocketStream final : public ByteStream {
 public:
  explicit SocketStream(asio::io_context& io) : state_(std::make_shared<State>(io)) {}
  ~SocketStream() override { SocketStream::close(); }

  void connect(const stream_protocol::endpoint& address, Done done) override {
    state_->socket.async_connect(address, [state = state_, done = std::move(done)](const auto& ec) {
      if (state->closed) return;
      asio::error_code ignored;  // a Unix socket knows no such option
      if (!ec) state->socket.set_option(asio::ip::tcp::no_delay(true), ignored);
      done(ec);
    });
  }

  void secure(Done done) override { done({}); }

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

  void close() override {
    state_->closed = true;
    asio::error_code ec;
    state_->socket.close(ec);
  }

 private:
  std::shared_ptr<State> state_;
  std::size_t expected_ = 1;  // what the socket was set to last
};

}  // namespace

std::unique_ptr<ByteStream> ByteStream::make(asio::io_context& io, const RedisAddress& address) {
  if (address.is_tls) return make_tls_stream(io, address);
  return std::make_unique<SocketStream>(io);
}

}  // namespace mdpipe::publisher

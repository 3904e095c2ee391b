#pragma once
// A stream of bytes to one address of Redis: TCP, a Unix socket or TLS (tls_stream.hpp). Nothing above knows
// which.
#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <system_error>

#include "md-publisher/redis/redis_url.hpp"

namespace mdpipe::publisher {

class ByteStream {
 public:
  using Done = std::function<void(const std::error_code&)>;
  using Received = std::function<void(const std::error_code&, std::size_t bytes)>;

  virtual ~ByteStream() = default;

  // Each handler runs in the loop; none runs after close().
  virtual void connect(const asio::generic::stream_protocol::endpoint& address, Done done) = 0;
  // The TLS handshake, once connected.
  virtual void secure(Done done) = 0;
  // `buffer` and `bytes` must stay as they are until the handler runs.
  virtual void read_some(char* buffer, std::size_t bytes, Received received) = 0;
  // At least so many bytes more will come for certain: the next read may wait for them (SO_RCVLOWAT). 1 says
  // nothing. Not with TLS, which may hold a part of them already.
  virtual void expect(std::size_t) {}
  virtual void write(std::string_view bytes, Done done) = 0;
  virtual void close() = 0;

  // `address` says whether it is TLS, and with which files and name.
  static std::unique_ptr<ByteStream> make(asio::io_context& io, const RedisAddress& address);
};

}  // namespace mdpipe::publisher

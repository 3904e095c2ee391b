#pragma once
// Publishes each event to other programs on a ZeroMQ PUB socket: topic "exchange.type.symbol", then the event
// as msgpack. A slow or dead consumer does not slow the reader down: ZeroMQ drops its messages at the
// high-water mark.
#include <asio/io_context.hpp>
#include <string>
#include <zmq.hpp>

#include "libshared/event/event.hpp"
#include "libshared/transport/socket.hpp"
#include "libshared/wire/byte_buffer.hpp"

namespace mdpipe::reader {

class Tap {
 public:
  Tap(asio::io_context& io, zmq::context_t& context, const transport::Endpoint& endpoint);

  void start();
  void offer(const Event& event, std::uint64_t seq);

 private:
  bool count_subscriptions();

  transport::Socket
      socket_;  // XPUB: shows whether anybody subscribes, so that events are only encoded for somebody
  long subscriptions_ = 0;
  std::string topic_;
  wire::ByteBuffer payload_;
};

}  // namespace mdpipe::reader

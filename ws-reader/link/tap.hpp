#pragma once
// Offers each event to other programs on a ZeroMQ PUB socket: topic "exchange.type.symbol", then the event as
// msgpack. A consumer that is slow or gone costs the collector nothing: ZeroMQ drops for it at its high-water
// mark.
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

  transport::Socket socket_;  // XPUB: it tells who subscribes, so that nothing is encoded for nobody
  long subscriptions_ = 0;
  std::string topic_;
  wire::ByteBuffer payload_;
};

}  // namespace mdpipe::reader

#pragma once
// The ZeroMQ side of the link to md-publisher: pushes what the outbox has to send, hands it the positions
// that come back. Decides nothing; the outbox does.
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <string>
#include <zmq.hpp>

#include "libshared/log/log.hpp"
#include "libshared/metrics/collector.hpp"
#include "libshared/transport/socket.hpp"
#include "ws-reader/outbox.hpp"

namespace mdpipe::reader {

struct LinkEndpoints {
  std::string events, positions, source;
};

class PublisherLink {
 public:
  // Borrows everything for its life. `on_confirmed` runs whenever the publisher confirmed more events.
  PublisherLink(asio::io_context& io, zmq::context_t& context, const LinkEndpoints& endpoints, Outbox& outbox,
                metrics::MetricsCollector& metrics, std::function<void()> on_confirmed);

  void start();

  // Sends what it may; call after Outbox::flush().
  void pump();

 private:
  bool receive_positions();
  void on_position(std::string_view bytes);
  bool send(const Batch& batch);

  Outbox& outbox_;
  metrics::MetricsCollector& metrics_;
  std::function<void()> on_confirmed_;
  transport::Socket events_;
  transport::Socket positions_;
  asio::steady_timer
      retry_;  // ZeroMQ tells nobody when a full PUSH socket has room again without a look at it
  bool retry_pending_ = false;
  wire::ByteBuffer header_;
  log::RateLimit refused_limit_;
};

}  // namespace mdpipe::reader

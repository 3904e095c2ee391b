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
#include "ws-reader/outbox/outbox.hpp"

namespace mdpipe::reader {

struct LinkEndpoints {
  transport::Endpoint events, positions;
  std::string source;
};

struct LinkEvents {
  std::function<void()> on_progress;  // the publisher confirmed more events, or asked for some again
  // Redis had confirmed the events (after, to] of this reader once and holds them no more.
  std::function<void(std::uint64_t after, std::uint64_t to)> on_redis_lost;
  std::function<void()> on_refused;  // another reader of this name is alive
};

class PublisherLink {
 public:
  // Borrows everything for its life.
  PublisherLink(asio::io_context& io, zmq::context_t& context, const LinkEndpoints& endpoints, Outbox& outbox,
                metrics::MetricsCollector& metrics, LinkEvents events);

  void start();

  // Sends what it may; call after Outbox::flush().
  void pump();

 private:
  bool receive_positions();
  void on_position(std::string_view bytes);
  bool send(const wire::BatchHeader& header, std::string_view payload);
  void send_heartbeats();

  Outbox& outbox_;
  metrics::MetricsCollector& metrics_;
  LinkEvents handlers_;
  transport::Socket events_;
  transport::Socket positions_;
  asio::steady_timer
      retry_;  // ZeroMQ tells nobody when a full PUSH socket has room again without a look at it
  bool retry_pending_ = false;
  asio::steady_timer heartbeat_;
  std::uint64_t instance_ = 0;  // of the publisher last heard
  wire::ByteBuffer header_, no_events_;
  log::RateLimit refused_limit_;
};

}  // namespace mdpipe::reader

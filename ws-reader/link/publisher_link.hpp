#pragma once
// The ZeroMQ side of the link to md-publisher: pushes the outbox's batches and passes the publisher's
// positions to it. All decisions are the outbox's.
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

struct LinkCallbacks {
  std::function<void()> on_progress;  // the publisher confirmed more events, or asked for some again
  // Redis had confirmed the events (after, to] of this reader and no longer holds them.
  std::function<void(std::uint64_t after, std::uint64_t to)> on_redis_lost_events;
  std::function<void()> on_duplicate_reader;  // another reader of this name runs
};

class PublisherLink {
 public:
  // All references are borrowed and must outlive this object.
  PublisherLink(asio::io_context& io, zmq::context_t& context, const LinkEndpoints& endpoints, Outbox& outbox,
                metrics::MetricsCollector& metrics, LinkCallbacks callbacks);

  void start();

  // Sends every batch that the outbox allows and ZeroMQ accepts. Call after Outbox::flush().
  void pump();

 private:
  bool receive_positions();
  void on_position(std::string_view bytes);
  bool send(const wire::BatchHeader& header, std::string_view payload);
  void send_heartbeats();

  Outbox& outbox_;
  metrics::MetricsCollector& metrics_;
  LinkCallbacks callbacks_;
  transport::Socket events_;
  transport::Socket positions_;
  // A full PUSH socket gives no signal when it has room again, so sending is tried again after a while.
  asio::steady_timer retry_;
  bool retry_pending_ = false;
  asio::steady_timer heartbeat_;
  std::uint64_t instance_ = 0;  // of the latest publisher
  wire::ByteBuffer header_, no_events_;
  log::RateLimit bad_position_limit_;
};

}  // namespace mdpipe::reader

#include "ws-reader/link/publisher_link.hpp"

#include <utility>

#include "libshared/wire/event_codec.hpp"

namespace mdpipe::reader {
namespace {

constexpr auto kRetryInterval = std::chrono::milliseconds(20);
constexpr int kPositionsPerTurn = 256;
// A header without events tells the publisher that the reader runs and what was confirmed to it.
constexpr auto kHeartbeatInterval = std::chrono::seconds(2);

}  // namespace

PublisherLink::PublisherLink(asio::io_context& io, zmq::context_t& context, const LinkEndpoints& endpoints,
                             Outbox& outbox, metrics::MetricsCollector& metrics, LinkCallbacks callbacks)
    : outbox_(outbox),
      metrics_(metrics),
      callbacks_(std::move(callbacks)),
      events_(io, context, zmq::socket_type::push),
      positions_(io, context, zmq::socket_type::sub),
      retry_(io),
      heartbeat_(io) {
  wire::begin_batch(no_events_);
  // Without IMMEDIATE, ZeroMQ would also queue messages while no publisher is connected.
  events_.raw().set(zmq::sockopt::immediate, true);
  events_.connect(endpoints.events);
  positions_.subscribe(endpoints.source);
  positions_.subscribe(wire::kEverySource);
  positions_.connect(endpoints.positions);
}

void PublisherLink::start() {
  positions_.on_ready([this] { return receive_positions(); });
  send_heartbeats();
}

void PublisherLink::send_heartbeats() {
  send(outbox_.heartbeat(wall_now()), no_events_.view());
  heartbeat_.expires_after(kHeartbeatInterval);
  heartbeat_.async_wait([this](const asio::error_code& ec) {
    if (!ec) send_heartbeats();
  });
}

void PublisherLink::pump() {
  while (const Batch* batch = outbox_.next()) {
    const Moment now = moment_now();
    if (!send(outbox_.header(*batch, now.wall), batch->payload.view())) break;
    outbox_.mark_sent(now);
  }
  if (outbox_.next() == nullptr || retry_pending_) return;
  retry_pending_ = true;
  retry_.expires_after(kRetryInterval);
  retry_.async_wait([this](const asio::error_code& ec) {
    retry_pending_ = false;
    if (!ec) pump();
  });
}

bool PublisherLink::send(const wire::BatchHeader& header, std::string_view payload) {
  header_.clear();
  wire::encode(header, header_);
  if (!events_.send(header_.view(), zmq::send_flags::sndmore)) return false;
  return events_.send(payload);  // ZeroMQ accepts every later part of a message
}

bool PublisherLink::receive_positions() {
  zmq::message_t part;
  for (int i = 0; i < kPositionsPerTurn; ++i) {
    if (!positions_.receive(part)) return false;
    if (!part.more()) continue;
    // A subscription is a prefix: "gmo" also receives "gmo2", whose epoch is not ours.
    positions_.receive(part);
    on_position(transport::view(part));
    while (part.more() && positions_.receive(part)) {
    }
  }
  return true;
}

void PublisherLink::on_position(std::string_view bytes) {
  const auto position = wire::decode_position(bytes);
  const Moment now = moment_now();
  if (!position) {
    metrics_.increment_error(metrics::error_type::kLink);
    if (const auto suppressed = bad_position_limit_.admit(now.steady)) {
      log::error(position.error().message, {{"suppressed", *suppressed}});
    }
    return;
  }
  // A publisher that has just started does not know what was confirmed before; a heartbeat says it.
  if (position.value().instance != std::exchange(instance_, position.value().instance)) send_heartbeats();
  switch (outbox_.on_position(position.value(), now)) {
    case Outbox::PositionEffect::None:
      return;
    case Outbox::PositionEffect::Progress:
      break;
    case Outbox::PositionEffect::Resend:
      log::info("resending from the publisher's position", {{"accepted", position.value().accepted}});
      break;
    case Outbox::PositionEffect::RedisLostEvents:
      callbacks_.on_redis_lost_events(position.value().lost_after, position.value().lost_to);
      break;
    case Outbox::PositionEffect::DuplicateReader:
      return callbacks_.on_duplicate_reader();
    case Outbox::PositionEffect::SendHeartbeat:
      send_heartbeats();
      break;
  }
  callbacks_.on_progress();
  pump();
}

}  // namespace mdpipe::reader

#include "ws-reader/publisher_link.hpp"

namespace mdpipe::reader {
namespace {

constexpr auto kRetryInterval = std::chrono::milliseconds(20);
constexpr int kPositionsPerTurn = 256;

}  // namespace

PublisherLink::PublisherLink(asio::io_context& io, zmq::context_t& context, const LinkEndpoints& endpoints,
                             Outbox& outbox, metrics::MetricsCollector& metrics,
                             std::function<void()> on_confirmed)
    : outbox_(outbox),
      metrics_(metrics),
      on_confirmed_(std::move(on_confirmed)),
      events_(io, context, zmq::socket_type::push),
      positions_(io, context, zmq::socket_type::sub),
      retry_(io) {
  // Without IMMEDIATE ZeroMQ would queue for a publisher that is not there; so back pressure is honest.
  events_.raw().set(zmq::sockopt::immediate, true);
  events_.connect(endpoints.events);
  positions_.subscribe(endpoints.source);
  positions_.subscribe(wire::kEverySource);
  positions_.connect(endpoints.positions);
}

void PublisherLink::start() {
  positions_.on_ready([this] { return receive_positions(); });
}

void PublisherLink::pump() {
  while (const Batch* batch = outbox_.next()) {
    if (!send(*batch)) break;
    outbox_.mark_sent(steady_now());
  }
  if (outbox_.next() == nullptr || retry_pending_) return;
  retry_pending_ = true;
  retry_.expires_after(kRetryInterval);
  retry_.async_wait([this](const asio::error_code& ec) {
    retry_pending_ = false;
    if (!ec) pump();
  });
}

bool PublisherLink::send(const Batch& batch) {
  header_.clear();
  wire::encode(outbox_.header(batch), header_);
  if (!events_.send(header_.view(), zmq::send_flags::sndmore)) return false;
  return events_.send(batch.payload.view());  // ZeroMQ never refuses a later part
}

bool PublisherLink::receive_positions() {
  zmq::message_t part;
  for (int i = 0; i < kPositionsPerTurn; ++i) {
    if (!positions_.receive(part)) return false;
    if (!part.more()) continue;
    // A subscription is a prefix: "gmo" also hears "gmo2", whose epoch is not ours.
    positions_.receive(part);
    on_position(transport::view(part));
    while (part.more() && positions_.receive(part)) {
    }
  }
  return true;
}

void PublisherLink::on_position(std::string_view bytes) {
  const auto position = wire::decode_position(bytes);
  const SteadyTime now = steady_now();
  if (!position) {
    metrics_.increment_error(metrics::error_type::kLink);
    if (const auto suppressed = refused_limit_.admit(now)) {
      log::error(position.error().message, {{"suppressed", *suppressed}});
    }
    return;
  }
  switch (outbox_.on_position(position.value(), now)) {
    case Outbox::PositionEffect::None:
      return;
    case Outbox::PositionEffect::Progress:
      break;
    case Outbox::PositionEffect::Resend:
      log::info("resending from the publisher's position", {{"accepted", position.value().accepted}});
      break;
    case Outbox::PositionEffect::WentBack:
      log::warn("the publisher's position went back behind what it had confirmed",
                {{"confirmed", position.value().confirmed}, {"was", outbox_.confirmed_seq()}});
      break;
  }
  on_confirmed_();
  pump();
}

}  // namespace mdpipe::reader

#include "ws-reader/link/tap.hpp"

#include <algorithm>

#include "libshared/wire/event_codec.hpp"

namespace mdpipe::reader {
namespace {

// Events that wait for one slow consumer before ZeroMQ drops its messages.
constexpr int kHighWaterMark = 10'000;

}  // namespace

Tap::Tap(asio::io_context& io, zmq::context_t& context, const transport::Endpoint& endpoint)
    : socket_(io, context, zmq::socket_type::xpub, {kHighWaterMark, 1 << 16U}) {
  socket_.bind(endpoint);
}

void Tap::start() {
  socket_.on_ready([this] { return count_subscriptions(); });
}

bool Tap::count_subscriptions() {
  zmq::message_t message;
  while (socket_.receive(message)) {
    const std::string_view bytes = transport::view(message);
    if (bytes.empty()) continue;
    // XPUB passes on the first subscription to a topic and the last cancellation, not each.
    subscriptions_ = std::max(0L, subscriptions_ + (bytes.front() == 1 ? 1 : -1));
  }
  return false;
}

void Tap::offer(const Event& event, std::uint64_t seq) {
  if (subscriptions_ == 0) return;
  topic_.assign(event.exchange).append(".").append(to_string(event.type())).append(".").append(event.symbol);
  payload_.clear();
  wire::encode_event(event, seq, payload_);
  if (socket_.send(topic_, zmq::send_flags::sndmore)) socket_.send(payload_.view());
  socket_.rearm();  // a send may swallow the wake-up for a subscription
}

}  // namespace mdpipe::reader

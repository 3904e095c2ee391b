#include "libshared/gatekeeper/gatekeeper.hpp"

#include <array>
#include <utility>

namespace mdpipe::transport {
namespace {

constexpr const char* kZapEndpoint = "inproc://zeromq.zap.01";  // ZAP's own name
constexpr std::string_view kZapVersion = "1.0";
constexpr int kRequestsPerTurn = 64;
// Version, id, domain, address, identity, mechanism, key.
constexpr std::size_t kFrames = 7;
constexpr std::size_t kKeyBytes = 32;
constexpr std::string_view kKnown = "200";
// "Temporary": the connection is closed without an error, and the peer tries again. After 400, libzmq would
// never try again, even if the key has become known since.
constexpr std::string_view kUnknown = "300";

// Empty if it is not a key.
std::string z85(const std::string& binary) {
  std::array<char, 41> text{};
  if (binary.size() != kKeyBytes) return {};
  zmq_z85_encode(text.data(), reinterpret_cast<const std::uint8_t*>(binary.data()), kKeyBytes);
  return text.data();
}

}  // namespace

Gatekeeper::Gatekeeper(asio::io_context& io, zmq::context_t& context, metrics::MetricsCollector& collector,
                       const std::vector<std::string>& sockets, PeerKeys peers)
    : collector_(collector), peers_(std::move(peers)), socket_(io, context, zmq::socket_type::rep) {
  for (const auto& name : sockets) {
    refused_[name] =
        collector.series(metrics::Metric::ConnectionsRefused, {collector.options().component, name});
  }
  socket_.bind(kZapEndpoint);
  socket_.on_ready([this] { return answer_some(); });
}

void Gatekeeper::set_peers(const PeerKeys& peers) {
  if (peers == peers_) return;
  log::info("other keys may connect", {{"before", peers_.size()}, {"now", peers.size()}});
  peers_ = peers;
}

bool Gatekeeper::answer_some() {
  for (int i = 0; i < kRequestsPerTurn; ++i) {
    if (!receive()) return false;
    // ZeroMQ itself sends the requests, in this form, and waits for an answer to each.
    frames_.resize(std::max(frames_.size(), kFrames));
    answer({frames_[1], frames_[2], frames_[3], z85(frames_[6])});
  }
  return true;
}

bool Gatekeeper::receive() {
  zmq::message_t part;
  frames_.clear();
  do {
    if (!socket_.receive(part)) return false;
    frames_.emplace_back(view(part));
  } while (part.more());
  return true;
}

void Gatekeeper::answer(const Request& request) {
  const auto peer = peers_.find(request.key);
  const bool is_known = !request.key.empty() && peer != peers_.end();
  if (!is_known) refuse(request);
  const std::string_view user = is_known ? std::string_view(peer->second) : std::string_view();
  for (const std::string_view frame :
       {kZapVersion, std::string_view(request.id), is_known ? kKnown : kUnknown,
        is_known ? std::string_view("OK") : std::string_view("unknown key"), user}) {
    socket_.send(frame, zmq::send_flags::sndmore);
  }
  socket_.send(std::string_view());  // no metadata
  socket_.rearm();
  if (is_known)
    log::debug("a peer connects", {{"socket", request.socket}, {"peer", user}, {"address", request.address}});
}

void Gatekeeper::refuse(const Request& request) {
  if (const auto series = refused_.find(request.socket); series != refused_.end())
    collector_.add(series->second);
  if (const auto suppressed = refused_limit_.admit(steady_now())) {
    log::warn("a connection is refused: its key is not in --curve-peers-dir", {{"socket", request.socket},
                                                                               {"address", request.address},
                                                                               {"public_key", request.key},
                                                                               {"suppressed", *suppressed}});
  }
}

std::unique_ptr<Gatekeeper> make_gatekeeper(asio::io_context& io, zmq::context_t& context,
                                            metrics::MetricsCollector& collector,
                                            const std::vector<std::string>& sockets,
                                            const Security& security) {
  if (!security.is_on()) return nullptr;
  return std::make_unique<Gatekeeper>(io, context, collector, sockets, security.peers());
}

}  // namespace mdpipe::transport

#pragma once
// Decides for each connection to an encrypted socket of this program whether its key is known. ZeroMQ asks
// over ZAP (rfc.zeromq.org/spec/27) before any data passes. A refused connection is counted and logged. The
// gatekeeper must exist before such a socket listens: without it, ZeroMQ accepts every key.
#include <map>
#include <memory>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "libshared/log/log.hpp"
#include "libshared/metrics/collector.hpp"
#include "libshared/transport/curve_key.hpp"
#include "libshared/transport/socket.hpp"

namespace mdpipe::transport {

class Gatekeeper {
 public:
  // One for each context. Borrows the collector; `sockets` are the names of the sockets that will listen.
  Gatekeeper(asio::io_context& io, zmq::context_t& context, metrics::MetricsCollector& collector,
             const std::vector<std::string>& sockets, PeerKeys peers);

  // For new connections; existing ones stay.
  void set_peers(const PeerKeys& peers);

 private:
  struct Request {
    std::string id, socket, address, key;
  };

  bool answer_some();
  bool receive();
  void answer(const Request& request);
  void refuse(const Request& request);

  metrics::MetricsCollector& collector_;
  std::map<std::string, metrics::Series> refused_;  // by socket
  PeerKeys peers_;
  Socket socket_;
  std::vector<std::string> frames_;
  log::RateLimit refused_limit_{std::chrono::seconds(10)};
};

// Null if nothing is encrypted.
std::unique_ptr<Gatekeeper> make_gatekeeper(asio::io_context& io, zmq::context_t& context,
                                            metrics::MetricsCollector& collector,
                                            const std::vector<std::string>& sockets,
                                            const Security& security);

}  // namespace mdpipe::transport

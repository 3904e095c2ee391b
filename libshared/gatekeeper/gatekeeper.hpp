#pragma once
// Says of each connection to an encrypted socket of this program whether its key is known: ZeroMQ asks over
// ZAP (rfc.zeromq.org/spec/27) before a byte of data passes. A refused one is counted and logged. Has to
// exist before such a socket listens: without it ZeroMQ lets everybody in.
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
  // One for each context. Borrows the collector; `sockets` are the names of those that will listen.
  Gatekeeper(asio::io_context& io, zmq::context_t& context, metrics::MetricsCollector& collector,
             const std::vector<std::string>& sockets, PeerKeys peers);

  // From here on; connections that are there stay.
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

// Null where nothing is encrypted.
std::unique_ptr<Gatekeeper> make_gatekeeper(asio::io_context& io, zmq::context_t& context,
                                            metrics::MetricsCollector& collector,
                                            const std::vector<std::string>& sockets,
                                            const Security& security);

}  // namespace mdpipe::transport

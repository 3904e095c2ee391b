#pragma once
// Sends a collector's snapshots to metrics-agent once a second, with the process's own usage. Full snapshots
// are sent at the start, whenever an agent connects, and every ten seconds. The last one says that the
// program stops.
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <string>
#include <zmq.hpp>

#include "libshared/metrics/collector.hpp"
#include "libshared/transport/socket.hpp"

namespace mdpipe::metrics {

class MetricsSender {
 public:
  // All three must outlive the sender. `before_send` sets gauges that are read rather than counted.
  MetricsSender(asio::io_context& io, zmq::context_t& context, MetricsCollector& collector,
                const transport::Endpoint& endpoint, std::function<void()> before_send);

  void start();
  // Sends the last message; the context must be given a moment to deliver it (linger).
  void stop();

 private:
  void schedule();
  void send(bool last);
  bool agent_connected();
  void set_process_gauges();

  MetricsCollector& collector_;
  transport::Socket socket_;
  asio::steady_timer timer_;
  std::function<void()> before_send_;
  int sends_since_full_ = 0;
  int fulls_due_ = 0;  // for an agent that has just connected
  Series cpu_, resident_, virtual_, open_fds_, max_fds_, start_time_, build_info_;
};

}  // namespace mdpipe::metrics

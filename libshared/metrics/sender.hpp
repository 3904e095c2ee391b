#pragma once
// Sends a collector's snapshots to metrics-agent once a second, with the process's own usage. Full ones go
// first, whenever an agent connects, and every tenth second; the last one, on stop, says goodbye.
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
  // Borrows all three for its life. `before_send` sets gauges that are read rather than counted.
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
  int fulls_due_ = 0;  // to an agent that has just come
  Series cpu_, resident_, virtual_, open_fds_, max_fds_, start_time_, build_info_;
};

}  // namespace mdpipe::metrics

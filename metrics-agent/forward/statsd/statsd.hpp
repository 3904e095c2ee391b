#pragma once
// Forwards windows to a StatsD or DogStatsD receiver. Each window opens a new socket, so that a receiver that
// was restarted or a name with a new address is found. Datagrams are sent in small bursts, so that the
// receiver's queue does not overflow. Counts that were certainly not accepted stay undelivered and are sent
// with the next window.
//
// A Unix socket reports at once whether it accepts a datagram; a UDP port of this host on which nobody
// listens refuses each one. A datagram that is lost on the way to another host is not noticed.
#include <asio/io_context.hpp>
#include <asio/ip/udp.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <string>
#include <vector>

#include "metrics-agent/forward/destination_counts.hpp"
#include "metrics-agent/forward/statsd/datagram_socket.hpp"
#include "metrics-agent/forward/statsd/statsd_config.hpp"
#include "metrics-agent/forward/undelivered.hpp"
#include "metrics-agent/window/forwarder.hpp"

namespace mdpipe::agent {

class Statsd final : public Forwarder {
 public:
  // Borrows all but the options. `on_progress` is called when datagrams were accepted between two windows.
  Statsd(asio::io_context& io, const SnapshotStore& store, StatsdOptions options,
         metrics::MetricsCollector& own, std::function<void()> on_progress);

  [[nodiscard]] std::string_view name() const override { return "statsd"; }
  void on_window(const Window& window) override;
  [[nodiscard]] std::optional<metrics::Delta> state() const override;
  void restore(const metrics::Delta& state) override { undelivered_.restore(state); }
  [[nodiscard]] bool is_idle() const override { return phase_ == Phase::Idle; }

 private:
  // Resolving: waits for the name service. Sending: a burst is due. Settling: everything was sent, but
  // refusals may still arrive.
  enum class Phase { Idle, Resolving, Sending, Settling };

  void fill_queue(const Window& window);
  void begin();
  void resolve();
  void open(const asio::ip::udp::endpoint& endpoint);
  void send_burst();
  void on_queue_full();
  void deliver_next();
  bool return_refused();
  void return_datagram(const std::string& beginning);
  void schedule(Phase phase, std::chrono::milliseconds delay);
  void on_timer();
  void settled();
  void give_up(std::string_view reason, const std::string& why);
  void count_accepted();
  void save_if_due(SteadyTime now);

  const SnapshotStore& store_;
  StatsdOptions options_;
  DestinationCounts counts_;
  std::function<void()> on_progress_;
  asio::ip::udp::resolver resolver_;
  asio::steady_timer timer_;
  DatagramSocket socket_;
  Undelivered undelivered_;
  std::vector<Datagram> queue_;  // of this window; those before next_ were sent
  std::size_t next_ = 0;
  std::size_t points_accepted_ = 0;  // not counted yet, because a refusal may still arrive
  Phase phase_ = Phase::Idle;
  std::chrono::milliseconds wait_{};  // while the receiver's queue is full
  SteadyTime saved_{};
  bool is_saved_ = true;      // in the state file
  bool is_reached_ = true;    // as last logged
  std::size_t failures_ = 0;  // so far
};

}  // namespace mdpipe::agent

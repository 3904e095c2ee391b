#pragma once
// Wires md-publisher together, starts it and stops it: batches come in over PULL (BatchIntake), become
// transactions and go to Redis (RedisDelivery, EventWriter), and positions go back over PUB (PositionSender).
// The only place that knows all parts.
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <zmq.hpp>

#include "libshared/gatekeeper/gatekeeper.hpp"
#include "libshared/metrics/collector.hpp"
#include "libshared/metrics/sender.hpp"
#include "libshared/process/notify.hpp"
#include "libshared/process/stop_signals.hpp"
#include "libshared/process/watchdog.hpp"
#include "libshared/transport/socket.hpp"
#include "md-publisher/batch_intake.hpp"
#include "md-publisher/config.hpp"
#include "md-publisher/position_sender.hpp"
#include "md-publisher/publisher_metrics.hpp"
#include "md-publisher/redis_delivery.hpp"
#include "md-publisher/source_ledger.hpp"
#include "md-publisher/streams/stream_lengths.hpp"
#include "md-publisher/streams/stream_table.hpp"
#include "md-publisher/transaction/batch_writer.hpp"
#include "md-publisher/writer/event_writer.hpp"

namespace mdpipe::publisher {

class App {
 public:
  // The config outlives it; `on_reload` runs in the loop on SIGHUP. Throws process::StartupError.
  App(const Config& config, std::function<void(App&)> on_reload);

  // Returns the exit code.
  int run();
  void set_peers(const transport::PeerKeys& peers) {
    if (gatekeeper_) gatekeeper_->set_peers(peers);
  }

 private:
  [[nodiscard]] WriterCallbacks redis_events();
  void on_redis_ready(const Cursors& cursors);
  void on_committed(const Transaction& transaction, const Outcome& outcome);
  void on_maintenance(const StreamMaintenance::Report& report);
  void on_disconnect(const Disconnect& disconnect);
  void on_gave_up(const std::string& reason);

  void stop();
  void finish_if_drained();
  void finish();

  const Config& config_;
  asio::io_context io_{1};  // one thread runs it
  zmq::context_t zmq_;
  metrics::MetricsCollector collector_;
  PublisherMetrics metrics_;
  SourceLedger ledger_;
  StreamTable streams_;
  StreamLengths lengths_;
  BatchWriter writer_;
  std::unique_ptr<transport::Gatekeeper> gatekeeper_;  // null if nothing is encrypted
  transport::Socket event_socket_, position_socket_;
  std::unique_ptr<EventWriter> redis_;
  RedisDelivery delivery_;
  PositionSender positions_;
  BatchIntake intake_;
  metrics::MetricsSender sender_;
  process::Notifier notifier_;
  process::Watchdog watchdog_;
  process::StopSignals signals_;
  asio::steady_timer stop_timer_;
  bool stopping_ = false;
  int exit_code_ = 0;
};

}  // namespace mdpipe::publisher

#pragma once
// Wires md-publisher together: batches come in over PULL, become transactions, go to Redis, and positions go
// back over PUB. The only place that knows all parts.
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
#include "libshared/wire/link.hpp"
#include "md-publisher/config.hpp"
#include "md-publisher/publisher_metrics.hpp"
#include "md-publisher/source_ledger.hpp"
#include "md-publisher/streams/stream_lengths.hpp"
#include "md-publisher/streams/stream_table.hpp"
#include "md-publisher/transaction/batch_writer.hpp"
#include "md-publisher/transaction/gap_notes.hpp"
#include "md-publisher/transaction/transaction.hpp"
#include "md-publisher/writer/event_writer.hpp"

namespace mdpipe::publisher {

class App {
 public:
  // Borrows the config for its life; `on_reload` runs in the loop on SIGHUP. Throws process::StartupError.
  App(const Config& config, std::function<void(App&)> on_reload);

  // Returns the exit code.
  int run();
  void set_peers(const transport::PeerKeys& peers) {
    if (gatekeeper_) gatekeeper_->set_peers(peers);
  }

 private:
  bool on_batches();
  bool receive_batches();
  bool receive_batch();
  void on_batch(std::string_view header_bytes, std::string_view payload);
  [[nodiscard]] bool takes_batches() const;
  void write_next();
  void expect_late_answer();

  void on_redis_ready(const Cursors& cursors);
  void on_committed(const Transaction& transaction, const Outcome& outcome);
  void on_maintenance(const StreamMaintenance::Report& report);
  void on_removed(const std::vector<Removed>& removed);
  void on_stream_lost(const RedisKey& key);
  void note_gaps(const Outcome& outcome);
  void on_redis_emptied(const Transaction& transaction);
  void read_cursors(const Cursors& cursors);
  void on_redis_lost(const Disconnect& loss);
  [[nodiscard]] RedisEvents redis_events();

  void announce_positions();
  void confirm_soon();
  void confirm();
  void send_position(std::string_view topic, const Progress& progress);
  void schedule_announcements();
  void stop();
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
  GapNotes gaps_;
  std::unique_ptr<transport::Gatekeeper> gatekeeper_;  // null where nothing is encrypted
  transport::Socket events_, positions_;
  std::unique_ptr<EventWriter> redis_;
  metrics::MetricsSender sender_;
  process::Notifier notifier_;
  process::Watchdog watchdog_;
  process::StopSignals signals_;
  asio::steady_timer announce_timer_, confirm_timer_, stop_timer_;

  // One is filled while the other is on its way.
  std::unique_ptr<Transaction> filling_, writing_;
  zmq::message_t header_part_, payload_part_;
  wire::ByteBuffer position_bytes_;
  std::uint64_t instance_;
  // Batches are read while Redis is there, a transaction has room and none waits for an answer that is near;
  // on_redis_ready, on_committed and expect_late_answer go on with them.
  bool paused_ = true;
  bool answer_is_near_ = false;  // a small transaction is on its way
  SteadyTime heard_at_{};        // when the last event came
  SteadyTime confirmed_at_{};    // when the readers were last told
  bool confirm_pending_ = false;
  bool stopping_ = false;
  int exit_code_ = 0;
};

}  // namespace mdpipe::publisher

#pragma once
// Delivers the events of ws-reader to md-publisher, or to standard output with --stdout. Owns everything
// behind EventWriter: the outbox with its spool, the link and the tap. Flushes once a loop turn, watches what
// waits for Redis, and reports what was lost. What is kept and sent is the outbox's decision.
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <zmq.hpp>

#include "libshared/metrics/collector.hpp"
#include "libshared/process/burst_memory.hpp"
#include "libshared/process/memory.hpp"
#include "libshared/wire/byte_buffer.hpp"
#include "ws-reader/config.hpp"
#include "ws-reader/event_writer.hpp"
#include "ws-reader/link/publisher_link.hpp"
#include "ws-reader/link/tap.hpp"
#include "ws-reader/outbox/conflator.hpp"
#include "ws-reader/outbox/crash_accounting.hpp"
#include "ws-reader/outbox/outbox.hpp"
#include "ws-reader/outbox/spool.hpp"
#include "ws-reader/reader_metrics.hpp"

namespace mdpipe::reader {

// Called from the loop.
struct DeliveryCallbacks {
  std::function<void()> on_confirmed;  // md-publisher confirmed events, or asked for some again
  std::function<void()> on_watch;      // a few times a second while events wait for Redis
  // Events are missing in every feed, and which ones is not known.
  std::function<void(std::string_view reason)> on_gap_everywhere;
  std::function<void()> on_feed_changes_lost;  // consumers need the state of every feed again
  std::function<void()> on_duplicate_reader;   // another reader of this name runs
  std::function<void()> on_output_closed;      // standard output takes no more
};

class Delivery {
 public:
  // Borrows everything, which must outlive it. `output` is the descriptor that --stdout writes to. Throws
  // process::StartupError.
  struct Parts {
    const Config& config;
    const venues::Profile& profile;
    metrics::MetricsCollector& collector;
    ReaderMetrics& metrics;
    zmq::context_t& zmq;
    int output;
  };
  Delivery(asio::io_context& io, Parts parts, DeliveryCallbacks callbacks);
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;

  // Not with --stdout: connects to md-publisher and opens the tap.
  void start();
  // Sends what was written to now, without waiting for the end of the loop turn.
  void flush();
  // Also sends what the conflator holds.
  void flush_all();

  // At the end of the program: spools what is unconfirmed.
  struct Remainder {
    std::uint64_t unconfirmed = 0;
    std::uint64_t lost = 0;  // of these: in memory only, so that they end with the program
  };
  [[nodiscard]] Remainder close();

  [[nodiscard]] EventWriter& writer() { return writer_; }
  [[nodiscard]] const Outbox& outbox() const { return outbox_; }

 private:
  [[nodiscard]] bool uses_link() const { return !parts_.config.to_stdout; }
  void schedule_flush();
  void write_to_output();
  void watch();
  void report_losses();
  void on_confirmed();
  void on_redis_lost(std::uint64_t after, std::uint64_t to);
  void on_duplicate_reader();

  asio::io_context& io_;
  Parts parts_;
  DeliveryCallbacks callbacks_;
  std::unique_ptr<Spool> spool_;
  std::uint64_t epoch_;
  std::unique_ptr<CrashAccounting> crash_accounting_;  // null: nothing is counted or sent
  Outbox outbox_;
  std::unique_ptr<Conflator> conflator_;  // null without --when-behind=latest
  std::unique_ptr<Tap> tap_;
  std::unique_ptr<PublisherLink> link_;  // null before start() and with --stdout
  EventWriter writer_;
  process::BacklogMemory backlog_memory_;
  asio::steady_timer watch_timer_;
  bool is_watching_ = false;
  wire::ByteBuffer ndjson_;
};

}  // namespace mdpipe::reader

#pragma once
// Wires ws-reader together: where frames come from, the pipeline they pass, where events go, and how the
// program starts, reports and stops. The only place that knows all parts.
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <zmq.hpp>

#include "libshared/gatekeeper/gatekeeper.hpp"
#include "libshared/metrics/collector.hpp"
#include "libshared/metrics/sender.hpp"
#include "libshared/process/burst_memory.hpp"
#include "libshared/process/lock_file.hpp"
#include "libshared/process/memory.hpp"
#include "libshared/process/notify.hpp"
#include "libshared/process/stop_signals.hpp"
#include "libshared/process/watchdog.hpp"
#include "libshared/settings/settings.hpp"
#include "ws-reader/books/rest_fetcher.hpp"
#include "ws-reader/config.hpp"
#include "ws-reader/feeds/feed_monitor.hpp"
#include "ws-reader/feeds/feed_publisher.hpp"
#include "ws-reader/feeds/subscription_changes.hpp"
#include "ws-reader/link/publisher_link.hpp"
#include "ws-reader/link/tap.hpp"
#include "ws-reader/outbox/crash_accounting.hpp"
#include "ws-reader/outbox/input_brake.hpp"
#include "ws-reader/outbox/outbox.hpp"
#include "ws-reader/outbox/spool.hpp"
#include "ws-reader/pipeline.hpp"
#include "ws-reader/reader_metrics.hpp"
#include "ws-reader/source/line_reader.hpp"
#include "ws-reader/source/session.hpp"

namespace mdpipe::reader {

class App {
 public:
  // Borrows the settings for its life. Throws process::StartupError.
  explicit App(process::Settings<Config>& settings);

  // Returns the exit code.
  int run();

 private:
  [[nodiscard]] bool uses_link() const { return !config_.to_stdout; }
  void start_source();
  void start_feeds();
  void schedule_feed_tick();
  [[nodiscard]] SessionEvents session_events();
  void check_books();
  void start_link();
  venues::FrameResult on_frame(std::string_view frame);
  void on_line(std::string_view line);
  void schedule_flush();
  void flush();
  void write_to_stdout();
  void brake();
  void release_brake();
  void reload();
  void take(const Config& fresh);
  void change_subscriptions(const SubscriptionChanges& changes);
  void stop(const std::string& why);
  void on_drained_check();
  void on_redis_lost(std::uint64_t after, std::uint64_t to);
  void on_refused();
  void watch_retention();
  void report_losses();
  void report_gap_everywhere(std::string_view reason);
  void finish(int exit_code);
  void before_metrics();

  process::Settings<Config>& settings_;
  Config& config_;
  asio::io_context io_{1};  // one thread runs it
  zmq::context_t zmq_;
  metrics::MetricsCollector collector_;
  std::unique_ptr<venues::Adapter> adapter_;
  ReaderMetrics metrics_;
  std::optional<process::LockFile> source_lock_;
  std::unique_ptr<Spool> spool_;
  std::uint64_t epoch_;
  std::unique_ptr<CrashAccounting> crash_accounting_;  // null where nothing is counted or sent
  Outbox outbox_;
  InputBrake brake_;
  process::BacklogMemory backlog_memory_;
  std::unique_ptr<transport::Gatekeeper> gatekeeper_;  // null where nothing is encrypted
  std::unique_ptr<Tap> tap_;
  std::unique_ptr<PublisherLink> link_;
  std::unique_ptr<FeedPublisher> feed_publisher_;  // both null with --stdin: a filter has no feeds
  std::unique_ptr<FeedMonitor> feeds_;
  std::unique_ptr<Conflator> conflator_;  // null without --when-behind=latest
  Pipeline pipeline_;
  std::unique_ptr<RestFetcher> books_fetcher_;  // null where books are not seeded over HTTP
  std::unique_ptr<Session> session_;
  std::unique_ptr<LineReader> lines_;
  std::unique_ptr<metrics::MetricsSender> sender_;
  process::Notifier notifier_;
  process::Watchdog watchdog_;
  process::StopSignals signals_;
  asio::steady_timer stop_timer_, retention_timer_, feed_timer_;
  wire::ByteBuffer ndjson_;
  SteadyTime turn_began_{};
  log::RateLimit resubscribe_limit_;
  bool flush_scheduled_ = false;
  bool input_paused_ = false;
  bool watches_retention_ = false;
  bool stopping_ = false;
  bool input_ended_ = false;
  int exit_code_ = 0;
};

}  // namespace mdpipe::reader

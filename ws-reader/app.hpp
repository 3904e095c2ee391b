#pragma once
// Wires ws-reader together and runs it: constructs the parts, connects them, starts, reloads and stops. The
// only place that knows all parts.
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>
#include <zmq.hpp>

#include "libshared/gatekeeper/gatekeeper.hpp"
#include "libshared/metrics/collector.hpp"
#include "libshared/metrics/sender.hpp"
#include "libshared/process/lock_file.hpp"
#include "libshared/process/notify.hpp"
#include "libshared/process/stop_signals.hpp"
#include "libshared/process/watchdog.hpp"
#include "libshared/settings/settings.hpp"
#include "ws-reader/config.hpp"
#include "ws-reader/delivery.hpp"
#include "ws-reader/feed_publisher.hpp"
#include "ws-reader/feeds/feed_monitor.hpp"
#include "ws-reader/frame_source.hpp"
#include "ws-reader/pipeline.hpp"
#include "ws-reader/reader_metrics.hpp"

namespace mdpipe::reader {

class App {
 public:
  // Borrows the settings, which must outlive it. Throws process::StartupError.
  explicit App(process::Settings<Config>& settings);

  // Returns the exit code.
  int run();

 private:
  [[nodiscard]] bool uses_link() const { return !config_.to_stdout; }
  [[nodiscard]] DeliveryCallbacks delivery_callbacks();
  [[nodiscard]] FeedCallbacks feed_callbacks();
  [[nodiscard]] BookCallbacks book_callbacks();
  [[nodiscard]] SourceCallbacks source_callbacks();
  void start_metrics();
  void update_metrics();
  void reload();
  void apply(const Config& fresh);
  void change_subscriptions(const SubscriptionChanges& changes);
  void fail(const std::string& why);
  void stop(const std::string& why);
  void finish_if_drained();
  void finish();

  process::Settings<Config>& settings_;
  Config& config_;
  asio::io_context io_{1};  // one thread runs it
  zmq::context_t zmq_;
  metrics::MetricsCollector collector_;
  std::unique_ptr<venues::Adapter> adapter_;
  ReaderMetrics metrics_;
  std::optional<process::LockFile> source_lock_;
  std::unique_ptr<transport::Gatekeeper> gatekeeper_;  // null if nothing is encrypted
  Delivery delivery_;
  std::unique_ptr<FeedPublisher> feed_publisher_;  // both null with --stdin: a filter has no feeds
  std::unique_ptr<FeedMonitor> feeds_;
  Pipeline pipeline_;
  FrameSource source_;
  std::unique_ptr<metrics::MetricsSender> sender_;
  process::Notifier notifier_;
  process::Watchdog watchdog_;
  process::StopSignals signals_;
  asio::steady_timer stop_timer_;
  bool is_stopping_ = false;
  bool input_ended_ = false;
  int exit_code_ = 0;
};

}  // namespace mdpipe::reader

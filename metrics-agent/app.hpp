#pragma once
// Wires metrics-agent: the socket feeds the intake, timers end windows, the HTTP server asks for pages. One
// loop, one thread.
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <zmq.hpp>

#include "libshared/gatekeeper/gatekeeper.hpp"
#include "libshared/process/notify.hpp"
#include "libshared/process/stop_signals.hpp"
#include "libshared/process/watchdog.hpp"
#include "libshared/settings/settings.hpp"
#include "libshared/transport/socket.hpp"
#include "metrics-agent/alerts/alerts.hpp"
#include "metrics-agent/config.hpp"
#include "metrics-agent/http/http_service.hpp"
#include "metrics-agent/store/intake.hpp"
#include "metrics-agent/store/snapshot_store.hpp"
#include "metrics-agent/window/window_writer.hpp"

namespace mdpipe::agent {

class App {
 public:
  // Borrows the settings, which must outlive it.
  explicit App(process::Settings<Config>& settings);

  // Until SIGTERM or SIGINT; throws process::StartupError if a socket or port cannot be opened.
  int run();

 private:
  void start_metrics();
  void make_forwarders();
  void make_alerts();
  bool receive(int messages_max);
  void schedule_tick();
  void schedule_window();
  void stop();
  void finish();
  void wait_for_forwarders(SteadyTime deadline);
  void reload();
  void apply(const Config& fresh);
  std::string status() const;

  process::Settings<Config>& settings_;
  Config& config_;
  asio::io_context io_;
  zmq::context_t context_;
  process::Notifier notifier_;
  process::Watchdog watchdog_;
  SnapshotStore store_;
  Intake intake_;
  std::unique_ptr<transport::Gatekeeper> gatekeeper_;  // null if nothing is encrypted
  std::optional<transport::Socket> socket_;
  Forwarders forwarders_;
  std::optional<WindowWriter> windows_;
  std::optional<Alerts> alerts_;
  asio::steady_timer tick_timer_, window_timer_, drain_timer_;
  process::StopSignals signals_;
  std::optional<HttpService> http_;
};

}  // namespace mdpipe::agent

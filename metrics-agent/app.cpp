#include "metrics-agent/app.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "libshared/log/log.hpp"
#include "libshared/process/exit_code.hpp"
#include "mdpipe_version.hpp"
#include "metrics-agent/forward/emf/emf_log.hpp"
#include "metrics-agent/forward/otlp/otlp_forwarder.hpp"
#include "metrics-agent/forward/statsd/statsd.hpp"

namespace mdpipe::agent {
namespace {

constexpr auto kTick = std::chrono::seconds(1);
// Components that are stopped together with the agent say goodbye within this time.
constexpr auto kDrain = std::chrono::milliseconds(250);
// At the end, requests to destinations have this long to finish; what is not accepted stays in the state
// file.
constexpr auto kForwardersDeadline = std::chrono::seconds(2);
constexpr auto kIdlePoll = std::chrono::milliseconds(20);
constexpr int kMessagesPerTurn = 64;
constexpr int kMessagesPerTick = 1000;
constexpr int kMessagesAtStop = 10'000;

StoreLimits limits_of(const Config& config) {
  return {static_cast<std::size_t>(config.series_max), config.component_timeout};
}

std::string counter_file(const Config& config) {
  if (!config.enable_metrics) return {};
  return metrics::counter_file_path(config.runtime_dir, kOwnComponent, kOwnComponent);
}

HttpServiceOptions http_options(const Config& config) {
  HttpServiceOptions options;
  options.address = config.bind_address;
  options.port = config.port;
  options.port_file = config.port_file;
  options.basic_auth_file = config.basic_auth_file;
  options.tls = config.tls;
  options.pages = {config.profile(), config.enable_metrics};
  return options;
}

}  // namespace

App::App(process::Settings<Config>& settings)
    : settings_(settings),
      config_(settings.config),
      watchdog_(io_, notifier_),
      store_(limits_of(config_)),
      intake_(store_, counter_file(config_)),
      tick_timer_(io_),
      window_timer_(io_),
      drain_timer_(io_),
      signals_(
          io_, [this](int) { stop(); }, [this] { reload(); }) {}

int App::run() {
  log::info("metrics-agent starts", {{"version", kVersion}, {"commit", kCommit}});
  if (config_.enable_metrics) {
    start_metrics();
  } else {
    log::warn(
        "metrics are off (ENABLE_METRICS=false): nothing is counted or logged, only /healthz is served");
  }
  if (config_.enable_prometheus) http_.emplace(io_, store_, intake_.own(), http_options(config_));
  watchdog_.start();
  notifier_.ready(status());
  io_.run();
  return process::kOk;
}

void App::start_metrics() {
  gatekeeper_ = transport::make_gatekeeper(io_, context_, intake_.own(), {"metrics"}, config_.security);
  socket_.emplace(io_, context_, zmq::socket_type::sub);
  socket_->bind(config_.security.listening(config_.endpoint(), "metrics"));
  socket_->subscribe("");
  log::info("listening for metrics", {{"endpoint", socket_->last_endpoint()}});
  make_forwarders();
  windows_.emplace(store_, forwarders_, config_.state_dir, steady_now());
  make_alerts();
  intake_.tick(moment_now());
  window_timer_.expires_at(steady_now());
  schedule_window();
  schedule_tick();
  socket_->on_ready([this] { return receive(kMessagesPerTurn); });
}

// All configured destinations; there can be several.
void App::make_forwarders() {
  const auto save = [this](std::string_view destination) {
    return [this, destination] { windows_->save_progress(destination); };
  };
  if (const auto otlp = process::value_or_throw(make_otlp_options(config_.otlp, config_.state_dir))) {
    log::info("forwarding to an OpenTelemetry receiver", {{"destination", "otlp"},
                                                          {"url", config::mask_url(otlp->url)},
                                                          {"temporality", config_.otlp.temporality},
                                                          {"histograms", config_.otlp.histograms}});
    forwarders_.push_back(std::make_unique<OtlpForwarder>(io_, store_, intake_.own(), *otlp,
                                                          config_.runtime_dir, save("otlp")));
  }
  if (auto statsd = process::value_or_throw(make_statsd_options(config_.statsd))) {
    log::info("forwarding to statsd",
              {{"address", config_.statsd.address}, {"format", config_.statsd.format}});
    forwarders_.push_back(
        std::make_unique<Statsd>(io_, store_, *std::move(statsd), intake_.own(), save("statsd")));
  }
  if (auto emf = process::value_or_throw(make_emf_options(config_.emf, config_.log_level)))
    forwarders_.push_back(std::make_unique<EmfLog>(store_, *std::move(emf), intake_.own()));
}

void App::make_alerts() {
  if (!config_.alerts.enabled) return;
  const AlertOptions options = process::value_or_throw(make_alert_options(config_.alerts));
  alerts_.emplace(store_, intake_.own(), options.rules);
  if (options.webhook) alerts_->call_webhook(io_, *options.webhook);
}

void App::reload() {
  process::reload<Config>(settings_, [this](const Config& fresh) { apply(fresh); });
}

// The options that Option::reloads() marks, and the contents of files whose names do not change.
void App::apply(const Config& fresh) {
  config_.component_timeout = fresh.component_timeout;
  store_.set_component_timeout(config_.component_timeout);
  config_.alerts.rules = fresh.alerts.rules;
  if (alerts_) alerts_->set_rules(make_alert_rules(config_.alerts.rules).value());  // was checked
  config_.log_level = fresh.log_level;
  log::set_level(*log::parse_level(config_.log_level));
  config_.security.take_peers(fresh.security);
  if (gatekeeper_) gatekeeper_->set_peers(config_.security.peers());
  if (http_) http_->reload_files();
}

// True if messages remain after `messages_max`.
bool App::receive(int messages_max) {
  zmq::message_t message;
  for (int i = 0; i < messages_max; ++i) {
    if (!socket_->receive(message)) return false;
    intake_.on_message(transport::view(message), moment_now());
  }
  return true;
}

void App::schedule_tick() {
  tick_timer_.expires_after(kTick);
  tick_timer_.async_wait([this](const asio::error_code& ec) {
    if (ec) return;
    receive(kMessagesPerTick);  // first: after a stall of this process, the components are not silent
    intake_.tick(moment_now());
    if (alerts_) alerts_->tick(moment_now());
    socket_->rearm();
    notifier_.status(status());
    schedule_tick();
  });
}

void App::schedule_window() {
  const auto interval = std::chrono::seconds(config_.interval_seconds);
  // On a fixed grid, so that delays do not add up; after a stall, one window covers the missed ones.
  auto next = window_timer_.expiry() + interval;
  if (next <= steady_now()) next = steady_now() + interval;
  window_timer_.expires_at(next);
  window_timer_.async_wait([this](const asio::error_code& ec) {
    if (ec) return;
    windows_->end_window(steady_now());
    schedule_window();
  });
}

void App::stop() {
  notifier_.stopping("draining");
  log::info("metrics-agent stops");
  drain_timer_.expires_after(socket_ ? kDrain : std::chrono::milliseconds(0));
  drain_timer_.async_wait([this](const asio::error_code&) { finish(); });
}

void App::finish() {
  if (socket_) {
    receive(kMessagesAtStop);
    intake_.tick(moment_now());
    windows_->end_window(steady_now());
    for (const auto& forwarder : forwarders_) forwarder->finish();
  }
  wait_for_forwarders(steady_now() + kForwardersDeadline);
}

void App::wait_for_forwarders(SteadyTime deadline) {
  const bool idle = std::all_of(forwarders_.begin(), forwarders_.end(),
                                [](const auto& forwarder) { return forwarder->is_idle(); });
  const bool is_webhook_idle = !alerts_ || alerts_->is_idle();
  if ((idle && is_webhook_idle) || steady_now() >= deadline) {
    for (const auto& forwarder : forwarders_) windows_->save_progress(forwarder->name());
    return io_.stop();
  }
  drain_timer_.expires_after(kIdlePoll);
  drain_timer_.async_wait([this, deadline](const asio::error_code&) { wait_for_forwarders(deadline); });
}

std::string App::status() const {
  if (!config_.enable_metrics) return "metrics are off";
  std::size_t up = 0;
  for (const Source& source : store_.sources()) up += source.up && source.component != kOwnComponent ? 1 : 0;
  return fmt::format("{} components up, {} series", up, store_.series().size());
}

}  // namespace mdpipe::agent

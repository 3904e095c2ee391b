#include "metrics-agent/app.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <asio/ip/address.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
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
// What is on its way to a destination at the end has this long; what is not taken then stays in the state
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

void write_port_file(const std::string& path, int port) {
  std::FILE* file = std::fopen(path.c_str(), "we");
  const bool written = file != nullptr && std::fprintf(file, "%d\n", port) > 0;
  if (file == nullptr || std::fclose(file) != 0 || !written) {
    throw process::StartupError{
        {ErrorKind::BadConfig, fmt::format("cannot write --port-file '{}': {}; name a file in a "
                                           "writable folder",
                                           path, std::strerror(errno))}};
  }
}

template <typename T>
T at_start(Result<T> result) {
  if (!result) throw process::StartupError{result.error()};
  return std::move(result.value());
}

template <typename T>
void log_reload(const char* what, const Result<T>& result) {
  if (result) {
    log::info("read again", {{"what", what}});
  } else {
    log::error("cannot be read again; what was read before stays",
               {{"what", what}, {"why", result.error().message}});
  }
}

bool is_loopback(const std::string& address) { return asio::ip::make_address(address).is_loopback(); }

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
  if (config_.enable_prometheus) start_http();
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

// Every destination that is configured, any number at once.
void App::make_forwarders() {
  const auto save = [this](std::string_view destination) {
    return [this, destination] { windows_->save_progress(destination); };
  };
  if (!config_.otlp.endpoint.empty()) {
    forwarders_.push_back(std::make_unique<OtlpForwarder>(io_, store_, intake_.own(), config_.otlp,
                                                          config_.runtime_dir, save("otlp")));
  }
  if (auto statsd = make_statsd_options(config_.statsd).value()) {
    log::info("forwarding to statsd",
              {{"address", config_.statsd.address}, {"format", config_.statsd.format}});
    forwarders_.push_back(
        std::make_unique<Statsd>(io_, store_, *std::move(statsd), intake_.own(), save("statsd")));
  }
  if (auto emf = make_emf_options(config_.emf, config_.log_level).value())
    forwarders_.push_back(std::make_unique<EmfLog>(store_, *std::move(emf), intake_.own()));
}

void App::make_alerts() {
  if (!config_.alerts.enabled) return;
  alerts_.emplace(store_, intake_.own(), config_.alerts.judging.rules);
  if (!config_.alerts.webhook.url.empty()) alerts_->call_webhook(io_, config_.alerts.webhook);
}

void App::start_http() {
  if (!config_.basic_auth_file.empty())
    passwords_ = std::make_unique<BasicAuth>(at_start(PasswordFile::read(config_.basic_auth_file)));
  if (!config_.tls.empty())
    certificates_ = std::make_unique<TlsCertificates>(at_start(read_tls(config_.tls)));
  pages_.emplace(store_, intake_.own(), PagesOptions{config_.profile(), config_.enable_metrics});
  http_.emplace(io_, HttpOptions{config_.bind_address, config_.port, certificates_.get()}, http_hooks());
  log::info("serving HTTP", {{"address", config_.bind_address},
                             {"port", http_->port()},
                             {"tls", certificates_ != nullptr},
                             {"password", passwords_ != nullptr}});
  if (!http_->has_all_threads()) {
    log::warn("few threads serve HTTP, so few clients that stall delay the others (TasksMax=, ulimit -u)",
              {{"threads", static_cast<std::uint64_t>(http_->threads())}});
  }
  if (!is_loopback(config_.bind_address) && !passwords_) {
    log::warn("/metrics is served beyond this host without a password (--metrics-basic-auth-file)",
              {{"address", config_.bind_address}});
  }
  if (!config_.port_file.empty()) write_port_file(config_.port_file, http_->port());
}

HttpHooks App::http_hooks() {
  HttpHooks hooks;
  hooks.check = [this](std::string_view path, std::string_view authorization) {
    return passwords_ && Pages::is_protected(path) ? passwords_->check(authorization)
                                                   : BasicAuth::Verdict::Right;
  };
  hooks.answer = [this](const Request& request) { return pages_->answer(request); };
  hooks.on_cut = [this] { pages_->count_cut(); };
  return hooks;
}

void App::reload() {
  process::reload<Config>(settings_, [this](const Config& fresh) { take(fresh); });
}

// What Option::reloads() marks, and the files that were named at the start: they may have been written anew.
void App::take(const Config& fresh) {
  config_.component_timeout = fresh.component_timeout;
  store_.set_component_timeout(config_.component_timeout);
  config_.alerts.judging = fresh.alerts.judging;
  if (alerts_) alerts_->set_rules(config_.alerts.judging.rules);
  config_.log_level = fresh.log_level;
  log::set_level(*log::parse_level(config_.log_level));
  config_.security.take_peers(fresh.security);
  if (gatekeeper_) gatekeeper_->set_peers(config_.security.peers());
  read_files_again();
}

// What cannot be read stays as it was.
void App::read_files_again() {
  if (passwords_) {
    auto passwords = PasswordFile::read(config_.basic_auth_file);
    if (passwords) passwords_->replace(std::move(passwords.value()));
    log_reload("passwords", passwords);
  }
  if (certificates_) {
    auto tls = read_tls(config_.tls);
    if (tls) certificates_->replace(std::move(tls.value()));
    log_reload("TLS certificate and key", tls);
  }
}

// True where it stopped at its limit with messages left.
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
    receive(kMessagesPerTick);  // after a stall of our own, the components' messages are waiting: nobody is
                                // silent
    intake_.tick(moment_now());
    if (alerts_) alerts_->tick(moment_now());
    socket_->rearm();
    notifier_.status(status());
    schedule_tick();
  });
}

void App::schedule_window() {
  const auto interval = std::chrono::seconds(config_.interval_seconds);
  // On a fixed grid, so that lateness does not add up; after a stall the missed windows are one.
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
  const bool is_told = !alerts_ || alerts_->is_idle();
  if ((idle && is_told) || steady_now() >= deadline) {
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

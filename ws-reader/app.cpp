#include "ws-reader/app.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <asio/post.hpp>
#include <cerrno>
#include <filesystem>

#include "libshared/log/log.hpp"
#include "libshared/process/exit_code.hpp"
#include "libshared/wire/json.hpp"
#include "ws-reader/venues/registry.hpp"

namespace mdpipe::reader {
namespace {

// SIGTERM ends the program within 5 s: so long it waits for Redis to confirm what is on its way.
constexpr auto kDrainMax = std::chrono::seconds(3);
// How often the age of what is unconfirmed is looked at.
constexpr auto kRetentionInterval = std::chrono::milliseconds(100);
// Standard input pauses while more than this share of --retain-bytes is unconfirmed.
constexpr std::size_t kInputPressureDivisor = 4;

metrics::CollectorOptions collector_options(const Config& config) {
  metrics::CollectorOptions options;
  options.component = "ws-reader";
  options.source = config.source;
  options.exchange = config.exchange;
  options.enabled = config.enable_metrics;
  return options;
}

// "<runtime-dir>/source-<name>": two readers of one name would take each other's positions for their own.
std::optional<process::LockFile> lock_source(const Config& config) {
  std::error_code ec;
  std::filesystem::create_directories(config.runtime_dir, ec);  // LockFile reports what is wrong
  auto lock = process::LockFile::acquire(fmt::format("{}/source-{}.lock", config.runtime_dir, config.source));
  if (!lock) throw process::StartupError{lock.error()};
  return std::optional<process::LockFile>(std::move(lock.value()));
}

// --spool-bytes and --retain-bytes bound what is kept; half of the memory is for what is on its way.
OutboxLimits outbox_limits(const Config& config) {
  OutboxLimits limits;
  limits.retain_bytes_max = config.retain_bytes.count;
  limits.spool_bytes_max = config.spool_bytes.count;
  return limits;
}

std::unique_ptr<Spool> open_spool(const Config& config, metrics::MetricsCollector& collector) {
  if (config.to_stdout || config.spool == "off") return nullptr;
  return std::make_unique<Spool>(fmt::format("{}/spool-{}.db", config.state_dir, config.source), collector,
                                 steady_now());
}

std::uint64_t begin_epoch(Spool* spool) {
  const UnixNanos wall = wall_now();
  return spool == nullptr ? static_cast<std::uint64_t>(wall.count) : spool->begin_epoch(wall, steady_now());
}

SpoolUse spool_use(const Config& config, Spool* spool) {
  return {spool, config.spool == "always" ? SpoolMode::Always : SpoolMode::Late, config.spool_after};
}

}  // namespace

App::App(const Config& config)
    : config_(config),
      collector_(collector_options(config)),
      adapter_(venues::make_adapter(config.exchange)),
      metrics_(collector_, config.exchange, config.subscriptions()),
      source_lock_(uses_link() ? lock_source(config) : std::nullopt),
      spool_(open_spool(config, collector_)),
      outbox_(config.source, begin_epoch(spool_.get()), outbox_limits(config),
              spool_use(config, spool_.get())),
      tap_(uses_link() && config.tap_endpoint != "none"
               ? std::make_unique<Tap>(io_, zmq_, config.tap_endpoint)
               : nullptr),
      pipeline_({*adapter_, metrics_, outbox_, tap_.get()}, config.symbols, [this] { schedule_flush(); }),
      signals_(io_, [this](int) { stop("signal"); }),
      stop_timer_(io_),
      watchdog_timer_(io_),
      retention_timer_(io_) {}

int App::run() {
  log::info("starting", {{"exchange", config_.exchange}, {"source", config_.source}});
  if (uses_link()) start_link();
  start_source();
  feed_watchdog();
  io_.run();
  return exit_code_;
}

void App::start_link() {
  link_ = std::make_unique<PublisherLink>(
      io_, zmq_, LinkEndpoints{config_.events_endpoint, config_.positions_endpoint, config_.source}, outbox_,
      collector_,
      LinkEvents{[this] {
                   if (stopping_ || input_ended_) on_drained_check();
                   if (lines_) watch_input_pressure();
                 },
                 [this](std::uint64_t after, std::uint64_t to) { on_redis_lost(after, to); },
                 [this] { on_refused(); }});
  link_->start();
  watch_retention();
  if (tap_) tap_->start();
  sender_ = std::make_unique<metrics::MetricsSender>(io_, zmq_, collector_, config_.metrics_endpoint,
                                                     [this] { before_metrics(); });
  sender_->start();
}

void App::start_source() {
  if (config_.from_stdin) {
    lines_ = std::make_unique<LineReader>(
        io_, STDIN_FILENO, config_.frame_bytes_max.count,
        LineHandlers{
            [this](std::string_view line) { on_line(line); },
            [this](std::size_t bytes) { metrics_.frame_too_large(bytes, config_.frame_bytes_max.count); },
            [this] {
              input_ended_ = true;
              flush();
              on_drained_check();
            }});
    lines_->start();
    notifier_.ready("reading standard input");
    return;
  }
  SessionEvents events;
  events.on_frame = [this](std::string_view frame) { return pipeline_.on_frame(frame, wall_now()); };
  events.on_subscribed = [this] {
    notifier_.ready(fmt::format("subscribed to {} streams", config_.subscriptions().size()));
  };
  events.on_gave_up = [this](const std::string& reason) {
    log::error("the exchange cannot be reached", {{"reason", reason}});
    exit_code_ = process::kUnavailable;
    stop("--no-retry");
  };
  events.on_stopped = [this] { on_drained_check(); };
  session_ = std::make_unique<Session>(io_, config_, *adapter_, metrics_, std::move(events));
  session_->start();
}

void App::on_line(std::string_view line) {
  if (line.back() == '\r') line.remove_suffix(1);
  if (line.empty()) return;
  pipeline_.on_frame(line, wall_now());
  watch_input_pressure();
}

// A file can be read faster than Redis takes it: nothing of it may be dropped.
void App::watch_input_pressure() {
  if (!uses_link()) return;
  const std::size_t limit = config_.retain_bytes.count / kInputPressureDivisor;
  if (outbox_.unconfirmed_bytes() > limit) {
    lines_->pause();
  } else {
    lines_->resume();
  }
}

// Events of one loop turn travel together: the flush runs after the handlers that are already waiting.
void App::schedule_flush() {
  if (flush_scheduled_) return;
  flush_scheduled_ = true;
  asio::post(io_, [this] {
    flush_scheduled_ = false;
    flush();
  });
}

void App::flush() {
  outbox_.flush(steady_now());
  if (uses_link()) {
    link_->pump();
    report_losses();
  } else {
    write_to_stdout();
  }
}

void App::write_to_stdout() {
  ndjson_.clear();
  while (const Batch* batch = outbox_.next()) {
    wire::append_batch_as_ndjson(batch->payload.view(), ndjson_);
    outbox_.mark_sent(SteadyTime());
    outbox_.confirm_sent();
  }
  std::string_view rest = ndjson_;
  while (!rest.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 &&
        errno == EAGAIN) {  // another process made the pipe or terminal non-blocking: wait for room
      pollfd output{STDOUT_FILENO, POLLOUT, 0};
      (void)::poll(&output, 1, -1);
      continue;
    }
    if (written <= 0) return stop("standard output is closed");
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

void App::watch_retention() {
  outbox_.tick(steady_now());
  report_losses();
  retention_timer_.expires_after(kRetentionInterval);
  retention_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec) watch_retention();
  });
}

void App::report_losses() {
  for (const auto& [feed, loss] : outbox_.take_losses())
    metrics_.dropped(feed.first, feed.second, drop_reason::kRetention, loss.count);
  if (const std::uint64_t damaged = outbox_.take_damaged(); damaged > 0) metrics_.spool_damaged(damaged);
}

void App::on_redis_lost(std::uint64_t after, std::uint64_t to) {
  log::warn("Redis lost events that it had confirmed: it was emptied, failed over or restored",
            {{"after", after}, {"to", to}, {"events", to - after}});
}

void App::on_refused() {
  log::error("md-publisher hears another reader of this name; give each reader its own --source",
             {{"source", config_.source}});
  exit_code_ = process::kUnavailable;
  stop("refused");
}

void App::stop(const std::string& why) {
  if (stopping_) return;
  stopping_ = true;
  log::info("stopping", {{"why", why}});
  notifier_.stopping("draining");
  if (session_) session_->stop();
  if (lines_) lines_->stop();
  flush();
  stop_timer_.expires_after(kDrainMax);
  stop_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec) finish(exit_code_);
  });
  on_drained_check();
}

void App::on_drained_check() {
  const bool connection_closed = !session_ || session_->is_closed();  // the exchange hears that we leave
  if (connection_closed && outbox_.everything_confirmed()) finish(exit_code_);
}

void App::finish(int exit_code) {
  exit_code_ = exit_code;
  if (sender_) sender_->stop();
  const auto& totals = pipeline_.totals();
  const auto unconfirmed = outbox_.unconfirmed_events();
  const auto left = unconfirmed > 0 ? outbox_.keep(steady_now()) : 0;
  log::write(left > 0 ? log::Level::Error : log::Level::Info,
             left > 0          ? "stopped; unconfirmed events are lost"
             : unconfirmed > 0 ? "stopped; unconfirmed events are kept in the spool for the next start"
                               : "stopped",
             {{"frames", totals.frames},
              {"events", totals.events},
              {"control", totals.control},
              {"other", totals.other},
              {"api_errors", totals.api_errors},
              {"rejected", totals.rejected},
              {"unknown_symbols", totals.unknown_symbols},
              {"unconfirmed", unconfirmed},
              {"lost", left}});
  io_.stop();
}

void App::before_metrics() {
  metrics_.outbox(outbox_);
  metrics_.update_clock_offset(steady_now());
}

void App::feed_watchdog() {
  const auto interval = notifier_.watchdog_interval();
  if (!interval) return;
  notifier_.watchdog();
  watchdog_timer_.expires_after(*interval);
  watchdog_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec) feed_watchdog();
  });
}

}  // namespace mdpipe::reader

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
// Standard input pauses while more than this share of --retain-bytes is unconfirmed.
constexpr std::size_t kInputPressureDivisor = 4;

metrics::CollectorOptions collector_options(const Config& config) {
  metrics::CollectorOptions options;
  options.component = "ws-reader";
  options.source = config.source;
  options.exchange = config.exchange;
  options.enabled = config.enable_metrics;
  if (!config.to_stdout)
    options.counter_file = metrics::counter_file_path(config.runtime_dir, options.component, config.source);
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

}  // namespace

App::App(const Config& config)
    : config_(config),
      collector_(collector_options(config)),
      adapter_(venues::make_adapter(config.exchange)),
      metrics_(collector_, config.exchange, config.subscriptions()),
      outbox_(config.source, static_cast<std::uint64_t>(wall_now().count), {config.retain_bytes.count}),
      source_lock_(uses_link() ? lock_source(config) : std::nullopt),
      tap_(uses_link() && config.tap_endpoint != "none"
               ? std::make_unique<Tap>(io_, zmq_, config.tap_endpoint)
               : nullptr),
      pipeline_({*adapter_, metrics_, outbox_, tap_.get()}, config.symbols, [this] { schedule_flush(); }),
      signals_(io_, [this](int) { stop("signal"); }),
      stop_timer_(io_),
      watchdog_timer_(io_) {}

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
      collector_, [this] {
        if (stopping_ || input_ended_) on_drained_check();
        if (lines_) watch_input_pressure();
      });
  link_->start();
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
  outbox_.flush();
  if (uses_link()) {
    link_->pump();
    const CountByType dropped = outbox_.take_dropped();
    for (const EventType type : kEventTypes) {
      const std::uint64_t count = dropped[static_cast<std::size_t>(type)];
      if (count > 0) metrics_.dropped(type, "", "retain_bytes", count);
    }
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
  const auto left = outbox_.unconfirmed_events();
  log::write(left > 0 ? log::Level::Error : log::Level::Info,
             left > 0 ? "stopped; unconfirmed events are lost" : "stopped",
             {{"frames", totals.frames},
              {"events", totals.events},
              {"control", totals.control},
              {"other", totals.other},
              {"api_errors", totals.api_errors},
              {"rejected", totals.rejected},
              {"unknown_symbols", totals.unknown_symbols},
              {"unconfirmed", left}});
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

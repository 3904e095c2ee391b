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

std::string rest_url(const Config& config, const venues::Profile& profile) {
  constexpr std::string_view kPlain = "ws://";
  if (!config.rest_url.empty()) return config.rest_url.substr(0, config.rest_url.find_last_not_of('/') + 1);
  // A stand-in for the exchange, such as exchange-sim, serves both on one port; its books are not those of
  // the real one.
  if (config.url.compare(0, kPlain.size(), kPlain) == 0)
    return "http://" + config.url.substr(kPlain.size(), config.url.find('/', kPlain.size()) - kPlain.size());
  return std::string(profile.rest_url);
}

RestOptions rest_options(const Config& config, const venues::Profile& profile) {
  RestOptions options;
  options.base_url = rest_url(config, profile);
  options.ca_file = config.ca_file;
  options.connect_timeout = config.connect_timeout;
  options.interval = profile.rest_interval;
  options.pacing_file = fmt::format("{}/pace-{}-rest", config.runtime_dir, profile.exchange);
  return options;
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
  if (config_.checks_books()) check_books();
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

void App::check_books() {
  BookHooks hooks;
  // The state of the feed is to be told from these two.
  hooks.on_gap = [](std::string_view, std::string_view, std::optional<std::uint64_t>) {};
  hooks.on_recovered = [](std::string_view) {};
  hooks.request_snapshot = [this](std::string_view symbol) {
    if (books_fetcher_) books_fetcher_->request(symbol);
  };
  hooks.resubscribe = [this](std::string_view symbol) {
    if (const auto suppressed = resubscribe_limit_.admit(steady_now()))
      log::warn("no order book snapshot comes", {{"symbol", symbol}, {"suppressed", *suppressed}});
  };
  pipeline_.check_books(std::move(hooks));
  if (adapter_->profile().books != venues::BookRecipe::RestSeeded) return;
  RestHandlers handlers;
  handlers.target = [this](std::string_view symbol) { return adapter_->book_snapshot_target(symbol); };
  handlers.take = [this](std::string_view symbol, std::string_view body) {
    return pipeline_.on_book_snapshot(symbol, body, wall_now(), steady_now()).reason;
  };
  handlers.on_error = [this](std::string_view symbol, std::string_view reason,
                             std::chrono::milliseconds retry) {
    metrics_.rest_failed(symbol, reason, retry);
  };
  handlers.on_refused = [this](std::string_view symbol) {
    pipeline_.on_book_snapshot_failed(symbol, steady_now());
  };
  books_fetcher_ = RestFetcher::make(io_, rest_options(config_, adapter_->profile()), std::move(handlers));
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
  events.on_disconnected = [this] { pipeline_.on_disconnected(); };
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
  if (books_fetcher_) books_fetcher_->stop();
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
              {"held", pipeline_.held_events()},
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

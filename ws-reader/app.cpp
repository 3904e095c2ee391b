#include "ws-reader/app.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <asio/post.hpp>
#include <cerrno>

#include "libshared/json/json_string.hpp"
#include "libshared/log/log.hpp"
#include "libshared/process/exit_code.hpp"
#include "libshared/wire/json.hpp"
#include "ws-reader/assembly.hpp"
#include "ws-reader/venues/registry.hpp"

namespace mdpipe::reader {
namespace {

// SIGTERM ends the program within 5 s: so long it waits for Redis to confirm what is on its way.
constexpr auto kDrainMax = std::chrono::seconds(3);
// How often the age of what is unconfirmed is looked at, where anything is.
constexpr auto kRetentionInterval = std::chrono::milliseconds(100);

// A file waits for ever, so nothing of it may be dropped; a small --retain-bytes leaves room for a frame.
InputBrake::Limits brake_limits(const Config& config) {
  InputBrake::Limits limits;
  constexpr std::size_t kRetainDivisor = 4;
  limits.bytes_max = std::min(limits.bytes_max, config.retain_bytes.count / kRetainDivisor);
  if (config.from_stdin) limits.pause_max.reset();
  return limits;
}

}  // namespace

App::App(process::Settings<Config>& settings)
    : settings_(settings),
      config_(settings.config),
      collector_(collector_options(config_)),
      adapter_(venues::make_adapter(config_.exchange)),
      metrics_(collector_, config_.exchange, config_.subscriptions()),
      source_lock_(uses_link() ? std::optional(lock_source(config_)) : std::nullopt),
      spool_(open_spool(config_, collector_)),
      epoch_(begin_epoch(spool_.get())),
      crash_accounting_(make_crash_accounting(config_, collector_, spool_.get(), epoch_)),
      outbox_(config_.source, epoch_, outbox_limits(config_), moment_now(), spool_use(config_, spool_.get()),
              crash_accounting_ ? crash_accounting_->runs() : OutboxRuns()),
      brake_(brake_limits(config_)),
      gatekeeper_(transport::make_gatekeeper(io_, zmq_, collector_, {"tap"}, config_.security)),
      tap_(uses_link() && config_.tap_endpoint != "none"
               ? std::make_unique<Tap>(io_, zmq_, config_.security.listening(config_.tap_endpoint, "tap"))
               : nullptr),
      feed_publisher_(config_.from_stdin
                          ? nullptr
                          : std::make_unique<FeedPublisher>(
                                collector_, config_.exchange, config_.subscriptions(),
                                FeedPublisher::Actions{
                                    [this](const Event& event) { pipeline_.keep(event, moment_now()); },
                                    [this](const venues::Subscription& subscription) {
                                      return session_->resubscribe(subscription);
                                    },
                                    [this](const std::string& reason) { session_->reconnect(reason); }})),
      feeds_(config_.from_stdin
                 ? nullptr
                 : std::make_unique<FeedMonitor>(
                       config_.subscriptions(), config_.stale_limits(adapter_->profile()), *feed_publisher_)),
      conflator_(config_.conflated_types.empty()
                     ? nullptr
                     : std::make_unique<Conflator>(config_.conflated_types, config_.behind_limit)),
      pipeline_({*adapter_, metrics_, outbox_, tap_.get(), feeds_.get(), conflator_.get()}, config_.symbols,
                [this] { schedule_flush(); }),
      watchdog_(io_, notifier_),
      signals_(
          io_, [this](int) { stop("signal"); }, [this] { reload(); }),
      stop_timer_(io_),
      retention_timer_(io_),
      feed_timer_(io_) {}

int App::run() {
  log::info("starting", {{"exchange", config_.exchange}, {"source", config_.source}});
  if (uses_link()) start_link();
  if (config_.checks_books()) check_books();
  start_source();
  watchdog_.start();
  io_.run();
  return exit_code_;
}

void App::start_link() {
  link_ = std::make_unique<PublisherLink>(
      io_, zmq_,
      LinkEndpoints{config_.security.publisher(config_.events_endpoint),
                    config_.security.publisher(config_.positions_endpoint), config_.source},
      outbox_, collector_,
      LinkCallbacks{[this] {
                      if (const auto last_in_redis = outbox_.pop_predecessor_end())
                        crash_accounting_->on_predecessor_end(*last_in_redis);
                      if (stopping_ || input_ended_) on_drained_check();
                      release_brake();
                    },
                    [this](std::uint64_t after, std::uint64_t to) { on_redis_lost(after, to); },
                    [this] { on_refused(); }});
  link_->start();
  watch_retention();
  if (tap_) tap_->start();
  sender_ = std::make_unique<metrics::MetricsSender>(
      io_, zmq_, collector_, config_.security.agent(config_.metrics_endpoint), [this] { before_metrics(); });
  sender_->start();
}

void App::check_books() {
  BookHooks hooks;
  hooks.request_snapshot = [this](std::string_view symbol) {
    if (books_fetcher_) books_fetcher_->request(symbol);
  };
  hooks.resubscribe = [this](std::string_view symbol) {
    if (const auto suppressed = resubscribe_limit_.admit(steady_now()))
      log::warn("no order book snapshot comes", {{"symbol", symbol}, {"suppressed", *suppressed}});
    if (session_) session_->resubscribe({EventType::OrderBook, std::string(symbol)});
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
  session_ = std::make_unique<Session>(io_, config_, *adapter_, metrics_, session_events());
  start_feeds();
  session_->start();
}

SessionEvents App::session_events() {
  SessionEvents events;
  events.on_frame = [this](std::string_view frame) { return on_frame(frame); };
  events.on_connected = [this] { feeds_->on_connected(moment_now()); };
  events.on_requests_sent = [this] { feeds_->on_subscribed(moment_now()); };
  events.on_disconnected = [this](const std::string& reason) {
    pipeline_.on_disconnected();
    feeds_->on_disconnected(printable_sample(reason), moment_now());
  };
  events.on_subscribed = [this] {
    notifier_.ready(fmt::format("subscribed to {} streams", config_.subscriptions().size()));
  };
  events.on_gave_up = [this](const std::string& reason) {
    log::error("the exchange cannot be reached", {{"reason", reason}});
    exit_code_ = process::kUnavailable;
    stop("--no-retry");
  };
  events.on_stopped = [this] { on_drained_check(); };
  return events;
}

void App::start_feeds() {
  feeds_->start(moment_now());
  schedule_feed_tick();
}

void App::schedule_feed_tick() {
  feed_timer_.expires_after(FeedMonitor::kTickInterval);
  feed_timer_.async_wait([this](const asio::error_code& ec) {
    if (ec || stopping_) return;
    feeds_->tick(moment_now());
    schedule_feed_tick();
  });
}

// Frames of one turn share the time their feeds are judged by; each has its own time of receipt.
venues::FrameResult App::on_frame(std::string_view frame) {
  if (!flush_scheduled_) turn_began_ = steady_now();
  const venues::FrameResult result = pipeline_.on_frame(frame, wall_now(), turn_began_);
  brake();
  return result;
}

void App::on_line(std::string_view line) {
  if (line.back() == '\r') line.remove_suffix(1);
  if (line.empty()) return;
  on_frame(line);
}

void App::brake() {
  if (!uses_link() || !brake_.should_pause(outbox_.unconfirmed_bytes(), turn_began_)) return;
  if (!std::exchange(input_paused_, true)) metrics_.input_paused();
  if (lines_) lines_->pause();
  if (session_) session_->pause();
}

void App::release_brake() {
  if (brake_.should_pause(outbox_.unconfirmed_bytes(), steady_now())) return;
  input_paused_ = false;
  if (lines_) lines_->resume();
  if (session_) session_->resume();
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
  outbox_.flush(moment_now());
  if (uses_link()) {
    link_->pump();
    report_losses();
    if (!watches_retention_) watch_retention();
  } else {
    write_to_stdout();
  }
}

void App::write_to_stdout() {
  ndjson_.clear();
  while (const Batch* batch = outbox_.next()) {
    wire::append_batch_as_ndjson(batch->payload.view(), ndjson_);
    outbox_.mark_sent({});
    outbox_.confirm_sent({});
  }
  std::string_view rest = ndjson_.view();
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
  const Moment now = moment_now();
  outbox_.tick(now);
  pipeline_.release_conflated(now);
  report_losses();
  release_brake();
  if (backlog_memory_.is_over(outbox_.unconfirmed_bytes(), now.steady)) {
    outbox_.drop_spare_memory();
    process::give_memory_back();
  }
  watches_retention_ = !outbox_.everything_confirmed() || (conflator_ && conflator_->held() > 0);
  if (!watches_retention_) return;
  retention_timer_.expires_after(kRetentionInterval);
  retention_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec) watch_retention();
  });
}

// The gap events of what was dropped are in its place already; those of a damaged spool say only that there
// is a hole.
void App::report_losses() {
  bool states_lost = false;
  for (const auto& [feed, loss] : outbox_.pop_losses()) {
    metrics_.dropped(feed.first, feed.second, metrics::DropReason::Retention, loss.count);
    states_lost = states_lost || feed.first == EventType::Feed;
  }
  if (const std::uint64_t damaged = outbox_.pop_damaged_events(); damaged > 0) {
    metrics_.spool_damaged(damaged);
    report_gap_everywhere("the spool was damaged");
  }
  if (states_lost && feeds_) feeds_->announce_all("earlier changes were lost", moment_now());
}

// Each feed's state is said again behind its gap, so this also fills an emptied md:state.
void App::report_gap_everywhere(std::string_view reason) {
  if (!feeds_) return;
  const Moment now = moment_now();
  for (std::size_t feed = 0; feed < feeds_->size(); ++feed) {
    const venues::Subscription& what = feeds_->subscription(feed);
    feeds_->on_gap(what.channel, what.symbol, reason, {}, now);
  }
}

// Redis holds less than it had confirmed. What it lost this reader let go of long ago, so consumers are told.
void App::on_redis_lost(std::uint64_t after, std::uint64_t to) {
  log::warn("Redis lost events that it had confirmed: it was emptied, failed over or restored",
            {{"after", after}, {"to", to}, {"events", to - after}});
  report_gap_everywhere("Redis lost events that it had confirmed");
}

void App::on_refused() {
  log::error("md-publisher hears another reader of this name; give each reader its own --source",
             {{"source", config_.source}});
  exit_code_ = process::kUnavailable;
  stop("refused");
}

void App::reload() {
  if (stopping_) return;
  process::reload<Config>(
      settings_, [this](const Config& fresh) { take(fresh); },
      [this](const Config& fresh) -> Result<bool> {
        if (fresh.exchange == config_.exchange) return true;
        // Symbols are an exchange's own: those of another mean nothing to this one.
        return Error{ErrorKind::BadConfig,
                     fmt::format("--exchange '{}': this reader is {}'s; restart it, or start one more",
                                 fresh.exchange, config_.exchange)};
      });
}

// What Option::reloads() marks.
void App::take(const Config& fresh) {
  const auto changes = changes_between(config_.subscriptions(), fresh.subscriptions());
  config_.symbols = fresh.symbols;
  config_.channels = fresh.channels;
  config_.stale_after = fresh.stale_after;
  config_.log_level = fresh.log_level;
  config_.security.take_peers(fresh.security);
  if (gatekeeper_) gatekeeper_->set_peers(config_.security.peers());
  log::set_level(*log::parse_level(config_.log_level));
  if (!feeds_) return pipeline_.set_symbols(config_.symbols);
  feeds_->set_stale_after(config_.stale_limits(adapter_->profile()));
  if (!changes.ended.empty() || !changes.begun.empty()) change_subscriptions(changes);
}

void App::change_subscriptions(const SubscriptionChanges& changes) {
  log::info("subscriptions change", {{"begun", changes.begun.size()}, {"ended", changes.ended.size()}});
  const Moment now = moment_now();
  pipeline_.end_feeds(changes.ended, now);
  feeds_->remove(changes.ended, "no longer collected", now);
  metrics_.end(changes.ended);
  for (const auto& ended : changes.ended) {
    if (books_fetcher_ && ended.channel == EventType::OrderBook) books_fetcher_->forget(ended.symbol);
  }
  metrics_.begin(changes.begun);
  pipeline_.begin_feeds(changes.begun);
  feeds_->add(changes.begun, "collected from here on", now);
  session_->change(changes.ended, changes.begun);
}

void App::stop(const std::string& why) {
  if (stopping_) return;
  stopping_ = true;
  log::info("stopping", {{"why", why}});
  notifier_.stopping("draining");
  // Told before the last flush, so that no consumer takes the last state for the present one.
  if (feeds_) feeds_->on_disconnected("the reader stops", moment_now());
  if (session_) session_->stop();
  if (lines_) lines_->stop();
  if (books_fetcher_) books_fetcher_->stop();
  pipeline_.release_conflated(moment_now(), true);
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
  const auto left = unconfirmed > 0 ? outbox_.spool_all(moment_now()) : 0;
  if (left == 0 && crash_accounting_) crash_accounting_->mark_complete();
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
              {"no_longer_wanted", totals.no_longer_wanted},
              {"held", pipeline_.held_events()},
              {"unconfirmed", unconfirmed},
              {"lost", left}});
  io_.stop();
}

void App::before_metrics() {
  metrics_.outbox(outbox_, pipeline_.held_events());
  metrics_.update_clock_offset(steady_now());
}

}  // namespace mdpipe::reader

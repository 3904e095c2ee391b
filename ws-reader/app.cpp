#include "ws-reader/app.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "libshared/log/log.hpp"
#include "libshared/process/exit_code.hpp"
#include "ws-reader/assembly.hpp"
#include "ws-reader/venues/registry.hpp"

namespace mdpipe::reader {
namespace {

// SIGTERM ends the program within 5 s; this part of them is for Redis to confirm what was sent.
constexpr auto kDrainMax = std::chrono::seconds(3);

}  // namespace

App::App(process::Settings<Config>& settings)
    : settings_(settings),
      config_(settings.config),
      collector_(collector_options(config_)),
      adapter_(venues::make_adapter(config_.exchange)),
      metrics_(collector_, config_.exchange, config_.subscriptions()),
      source_lock_(uses_link() ? std::optional(lock_source(config_)) : std::nullopt),
      gatekeeper_(transport::make_gatekeeper(io_, zmq_, collector_, {"tap"}, config_.security)),
      delivery_(io_, {config_, adapter_->profile(), collector_, metrics_, zmq_, STDOUT_FILENO},
                delivery_callbacks()),
      feed_publisher_(config_.from_stdin ? nullptr
                                         : std::make_unique<FeedPublisher>(
                                               collector_, config_.exchange, config_.subscriptions(),
                                               delivery_.writer(), feed_callbacks())),
      feeds_(config_.from_stdin
                 ? nullptr
                 : std::make_unique<FeedMonitor>(
                       config_.subscriptions(), config_.stale_limits(adapter_->profile()), *feed_publisher_)),
      pipeline_({*adapter_, metrics_, delivery_.writer(), feeds_.get()}, config_.symbols),
      source_(io_, {config_, *adapter_, pipeline_, delivery_, metrics_, feeds_.get(), STDIN_FILENO},
              source_callbacks()),
      watchdog_(io_, notifier_),
      signals_(
          io_, [this](int) { stop("signal"); }, [this] { reload(); }),
      stop_timer_(io_) {
  if (config_.checks_books()) pipeline_.check_books(book_callbacks());
}

int App::run() {
  log::info("starting", {{"exchange", config_.exchange}, {"source", config_.source}});
  delivery_.start();
  if (uses_link()) start_metrics();
  source_.start();
  watchdog_.start();
  io_.run();
  return exit_code_;
}

DeliveryCallbacks App::delivery_callbacks() {
  DeliveryCallbacks callbacks;
  callbacks.on_confirmed = [this] {
    if (is_stopping_ || input_ended_) finish_if_drained();
    source_.resume_if_caught_up();
  };
  callbacks.on_watch = [this] { source_.resume_if_caught_up(); };
  callbacks.on_gap_everywhere = [this](std::string_view reason) {
    if (feeds_) feeds_->on_gap_everywhere(reason, moment_now());
  };
  callbacks.on_feed_changes_lost = [this] {
    if (feeds_) feeds_->announce_all("earlier changes were lost", moment_now());
  };
  callbacks.on_duplicate_reader = [this] { fail("refused"); };
  callbacks.on_output_closed = [this] { stop("standard output is closed"); };
  return callbacks;
}

FeedCallbacks App::feed_callbacks() {
  FeedCallbacks callbacks;
  callbacks.resubscribe = [this](const venues::Subscription& subscription) {
    return source_.resubscribe(subscription);
  };
  callbacks.reconnect = [this](const std::string& reason) { source_.reconnect(reason); };
  return callbacks;
}

BookCallbacks App::book_callbacks() {
  BookCallbacks callbacks;
  callbacks.request_snapshot = [this](std::string_view symbol) { source_.request_book(symbol); };
  callbacks.resubscribe = [this](std::string_view symbol) { source_.resubscribe_book(symbol); };
  return callbacks;
}

SourceCallbacks App::source_callbacks() {
  SourceCallbacks callbacks;
  callbacks.on_ready = [this](const std::string& status) { notifier_.ready(status); };
  callbacks.on_gave_up = [this](const std::string& reason) {
    log::error("the exchange cannot be reached", {{"reason", reason}});
    fail("--no-retry");
  };
  callbacks.on_end = [this] {
    input_ended_ = true;
    delivery_.flush();
    finish_if_drained();
  };
  callbacks.on_closed = [this] { finish_if_drained(); };
  return callbacks;
}

void App::start_metrics() {
  sender_ = std::make_unique<metrics::MetricsSender>(
      io_, zmq_, collector_, config_.security.agent(config_.metrics_endpoint), [this] { update_metrics(); });
  sender_->start();
}

void App::update_metrics() {
  metrics_.outbox(delivery_.outbox(), pipeline_.held_events() + delivery_.writer().held_events());
  metrics_.update_clock_offset(steady_now());
}

void App::reload() {
  if (is_stopping_) return;
  process::reload<Config>(
      settings_, [this](const Config& fresh) { apply(fresh); },
      [this](const Config& fresh) -> Result<bool> {
        if (fresh.exchange == config_.exchange) return true;
        // The symbols of one exchange mean nothing to another one.
        return Error{ErrorKind::BadConfig,
                     fmt::format("--exchange '{}': this reader is {}'s; restart it, or start one more",
                                 fresh.exchange, config_.exchange)};
      });
}

// Applies the options that Option::reloads() marks.
void App::apply(const Config& fresh) {
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
  metrics_.begin(changes.begun);
  pipeline_.begin_feeds(changes.begun);
  feeds_->add(changes.begun, "collected from here on", now);
  source_.change(changes);
}

void App::fail(const std::string& why) {
  exit_code_ = process::kUnavailable;
  stop(why);
}

void App::stop(const std::string& why) {
  if (is_stopping_) return;
  is_stopping_ = true;
  log::info("stopping", {{"why", why}});
  notifier_.stopping("draining");
  // Before the last flush, so that no consumer takes the last state for the present one.
  if (feeds_) feeds_->on_disconnected("the reader stops", moment_now());
  source_.stop();
  delivery_.flush_all();
  stop_timer_.expires_after(kDrainMax);
  stop_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec) finish();
  });
  finish_if_drained();
}

// The exchange must also have received the end of the connection.
void App::finish_if_drained() {
  if (source_.is_closed() && delivery_.outbox().everything_confirmed()) finish();
}

void App::finish() {
  if (sender_) sender_->stop();
  const auto& totals = pipeline_.totals();
  const std::uint64_t held = pipeline_.held_events() + delivery_.writer().held_events();
  const auto [unconfirmed, lost] = delivery_.close();
  log::write(lost > 0 ? log::Level::Error : log::Level::Info,
             lost > 0          ? "stopped; unconfirmed events are lost"
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
              {"held", held},
              {"unconfirmed", unconfirmed},
              {"lost", lost}});
  io_.stop();
}

}  // namespace mdpipe::reader

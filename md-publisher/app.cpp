#include "md-publisher/app.hpp"

#include <fmt/format.h>

#include "libshared/log/log.hpp"
#include "libshared/process/exit_code.hpp"

namespace mdpipe::publisher {
namespace {

// Positions are cumulative and repeated, so that losing one costs nothing.
constexpr auto kAnnounceInterval = std::chrono::milliseconds(200);
constexpr int kBatchesPerTurn = 64;
constexpr auto kDrainMax = std::chrono::seconds(3);

metrics::CollectorOptions collector_options(const Config& config) {
  metrics::CollectorOptions options;
  options.component = "md-publisher";
  options.source = config.source;
  options.enabled = config.enable_metrics;
  return options;
}

RedisOptions redis_options(const Config& config) {
  return {config.redis, config.cursor_key, config.redis_timeout, config.reconnect_delay_max, config.no_retry};
}

}  // namespace

App::App(const Config& config)
    : config_(config),
      collector_(collector_options(config)),
      metrics_(collector_),
      streams_(config.naming, config.trim, collector_),
      writer_(streams_, config.format == "msgpack" ? EntryFormat::Msgpack : EntryFormat::Fields),
      events_(io_, zmq_, zmq::socket_type::pull),
      positions_(io_, zmq_, zmq::socket_type::pub),
      redis_(
          io_, redis_options(config),
          {[this](const Cursors& cursors) { on_redis_ready(cursors); },
           [this](const Transaction& transaction, const auto& refused) {
             on_committed(transaction, refused);
           },
           [this](const std::string& reason, std::chrono::milliseconds retry) {
             on_redis_lost(reason, retry);
           },
           [this](const std::string& reason) {
             log::error("Redis cannot be reached", {{"redis", config_.redis.display()}, {"reason", reason}});
             exit_code_ = process::kUnavailable;
             finish();
           }}),
      sender_(io_, zmq_, collector_, config.metrics_endpoint,
              [this] { metrics_.buffered(filling_->commands().size() + writing_->commands().size()); }),
      signals_(io_, [this](int) { stop(); }),
      announce_timer_(io_),
      stop_timer_(io_),
      watchdog_timer_(io_),
      filling_(std::make_unique<Transaction>()),
      writing_(std::make_unique<Transaction>()),
      instance_(static_cast<std::uint64_t>(wall_now().count)) {
  events_.bind(config.events_endpoint);
  positions_.bind(config.positions_endpoint);
}

int App::run() {
  log::info("starting", {{"redis", config_.redis.display()}, {"events", events_.last_endpoint()}});
  events_.on_ready([this] { return receive_batches(); });
  redis_.start();
  sender_.start();
  schedule_announcements();
  feed_watchdog();
  io_.run();
  return exit_code_;
}

bool App::has_room() const { return filling_->commands().size() < config_.in_flight_bytes_max.count; }

bool App::receive_batches() {
  bool more = true;
  for (int i = 0; i < kBatchesPerTurn && more; ++i) {
    paused_ = !redis_.is_ready() || !has_room();  // resumed by on_redis_ready or on_committed
    more = !paused_ && receive_batch();
  }
  write_next();  // also where there is no room any more: only a commit makes some
  return more;
}

bool App::receive_batch() {
  if (!events_.receive(header_part_)) return false;
  if (!header_part_.more()) {
    metrics_.batch_refused("a message of one part; readers send a header and a payload");
    return true;
  }
  events_.receive(payload_part_);
  const bool too_many = payload_part_.more();
  zmq::message_t rest;
  while (payload_part_.more() && events_.receive(rest) && rest.more()) {
  }
  if (too_many) {
    metrics_.batch_refused("a message of more than two parts");
  } else {
    on_batch(transport::view(header_part_), transport::view(payload_part_));
  }
  return true;
}

void App::on_batch(std::string_view header_bytes, std::string_view payload) {
  const auto header = wire::decode_batch_header(header_bytes);
  if (!header) return metrics_.batch_refused(header.error().message);
  const wire::BatchHeader& batch = header.value();
  const Decision decision = ledger_.on_batch(batch);
  if (decision.lost_redis > 0) metrics_.redis_lost_data(batch.source, decision.lost_redis);
  if (decision.dropped > 0) metrics_.reader_dropped(batch.source, decision.dropped);
  if (decision.found_twin) metrics_.twin_refused(batch.source);
  if (decision.verdict == Verdict::Refused)
    return metrics_.batch_refused(
        "a second reader of its name, or more sources than md-publisher keeps apart");
  if (decision.verdict != Verdict::Accept) return;  // the next position tells the reader where to go on
  const BatchCount count = writer_.write(payload, decision.skip, batch.count, *filling_);
  const std::uint64_t missing = batch.count - decision.skip - count.added - count.malformed;
  if (!count.complete)
    metrics_.batch_refused(
        fmt::format("the payload of '{}' breaks off or disagrees with its header", batch.source));
  if (count.malformed + missing > 0) metrics_.events_malformed(batch.source, count.malformed + missing);
  // Of the source's present life, also where this batch was left over from an earlier one.
  const Progress& present = ledger_.sources().find(batch.source)->second;
  filling_->set_cursor(batch.source, {present.epoch, present.accepted});
}

void App::write_next() {
  if (!redis_.is_ready() || !redis_.is_idle() || filling_->empty()) return;
  std::swap(filling_, writing_);
  writing_->seal(config_.cursor_key);
  redis_.write(*writing_);
}

void App::on_redis_ready(const Cursors& cursors) {
  log::info("Redis reached", {{"redis", config_.redis.display()}, {"sources", cursors.size()}});
  metrics_.redis_up();
  filling_->clear();
  for (const auto& source : ledger_.on_cursors(cursors)) {
    const Progress& progress = ledger_.sources().find(source)->second;
    metrics_.redis_lost_data(source, progress.lost_to - progress.lost_after);
  }
  notifier_.ready(fmt::format("writing to {}", config_.redis.display()));
  announce_positions();
  events_.rearm();
}

void App::on_committed(const Transaction& transaction, const std::vector<RefusedEntry>& refused) {
  metrics_.committed(transaction, refused, wall_now());
  for (const auto& [source, cursor] : transaction.cursors())
    ledger_.on_confirmed(source, cursor.epoch, cursor.seq);
  for (const auto& [source, cursor] : transaction.cursors())
    send_position(source, ledger_.sources().find(source)->second);
  writing_->clear();
  write_next();
  if (paused_) events_.rearm();
  if (stopping_ && redis_.is_idle()) finish();
}

void App::on_redis_lost(const std::string& reason, std::chrono::milliseconds retry) {
  metrics_.redis_lost(reason, retry);
  notifier_.status("Redis is away; the readers keep the events");
  filling_->clear();
  writing_->clear();
  if (stopping_) finish();
}

void App::announce_positions() {
  send_position(wire::kEverySource, Progress{});
  for (const auto& [source, progress] : ledger_.sources()) send_position(source, progress);
  for (const auto& [source, lives] : ledger_.past()) {
    for (const Progress& progress : lives) send_position(source, progress);
  }
}

void App::send_position(std::string_view topic, const Progress& progress) {
  position_bytes_.clear();
  encode(wire::Position{instance_, progress.epoch, progress.confirmed, progress.accepted, redis_.is_ready(),
                        progress.lost_after, progress.lost_to, progress.refused},
         position_bytes_);
  if (positions_.send(topic, zmq::send_flags::sndmore)) positions_.send(position_bytes_.view());
}

void App::schedule_announcements() {
  announce_timer_.expires_after(kAnnounceInterval);
  announce_timer_.async_wait([this](const asio::error_code& ec) {
    if (ec) return;
    announce_positions();
    schedule_announcements();
  });
}

void App::stop() {
  log::info("stopping");
  notifier_.stopping("writing what was taken");
  stopping_ = true;
  if (!redis_.is_ready() || (redis_.is_idle() && filling_->empty())) return finish();
  write_next();
  stop_timer_.expires_after(kDrainMax);
  stop_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec) finish();
  });
}

void App::finish() {
  redis_.stop();
  sender_.stop();
  log::info("stopped");
  io_.stop();
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

}  // namespace mdpipe::publisher

#include "md-publisher/app.hpp"

#include <fmt/format.h>

#include <utility>

#include "libshared/log/log.hpp"
#include "libshared/process/exit_code.hpp"
#include "md-publisher/writer/cluster/cluster_writer.hpp"
#include "md-publisher/writer/redis_writer.hpp"

namespace mdpipe::publisher {
namespace {

constexpr std::size_t kPendingMax = 16'384;  // published and bytes of 8,000 streams in one transaction
constexpr auto kDrainMax = std::chrono::seconds(3);

metrics::CollectorOptions collector_options(const Config& config) {
  metrics::CollectorOptions options;
  options.component = "md-publisher";
  options.source = config.source;
  options.enabled = config.enable_metrics;
  options.counter_file = metrics::counter_file_path(config.runtime_dir, options.component, config.source);
  options.pending_max = kPendingMax;
  return options;
}

RedisOptions redis_options(const Config& config) {
  RedisOptions options;
  options.address = config.redis;
  options.cursor_key = config.cursor_key;
  options.state_key = config.state_key;
  options.timeout = config.redis_timeout;
  options.reconnect_delay_max = config.reconnect_delay_max;
  options.no_retry = config.no_retry;
  options.stream_bytes_max = config.stream_bytes_max.count;
  options.source = config.source;
  options.wait_replicas = static_cast<unsigned>(config.redis_wait_replicas);
  return options;
}

std::unique_ptr<EventWriter> make_writer(asio::io_context& io, RedisOptions options, StreamLengths& lengths,
                                         WriterCallbacks events) {
  if (!options.address.cluster.empty())
    return std::make_unique<ClusterWriter>(io, std::move(options), lengths, std::move(events));
  return std::make_unique<RedisWriter>(io, std::move(options), lengths, std::move(events));
}

}  // namespace

App::App(const Config& config, std::function<void(App&)> on_reload)
    : config_(config),
      collector_(collector_options(config)),
      metrics_(collector_, config.redis.user),
      streams_(config.naming, config.trim, collector_),
      writer_(streams_, config.format == "msgpack" ? EntryFormat::Msgpack : EntryFormat::Fields),
      gatekeeper_(
          transport::make_gatekeeper(io_, zmq_, collector_, {"events", "positions"}, config.security)),
      event_socket_(io_, zmq_, zmq::socket_type::pull),
      position_socket_(io_, zmq_, zmq::socket_type::pub),
      redis_(make_writer(io_, redis_options(config), lengths_, redis_events())),
      delivery_(*redis_, writer_, ledger_, lengths_, metrics_, config.in_flight_bytes_max.count),
      positions_(io_, position_socket_, ledger_, *redis_),
      intake_(event_socket_, ledger_, writer_, delivery_, positions_, metrics_,
              !config.redis.cluster.empty()),
      sender_(io_, zmq_, collector_, config.security.agent(config.metrics_endpoint),
              [this] { metrics_.buffered(delivery_.buffered_bytes()); }),
      watchdog_(io_, notifier_),
      signals_(
          io_, [this](int) { stop(); }, [this, reload = std::move(on_reload)] { reload(*this); }),
      stop_timer_(io_) {
  event_socket_.bind(config.security.listening(config.events_endpoint, "events"));
  position_socket_.bind(config.security.listening(config.positions_endpoint, "positions"));
}

WriterCallbacks App::redis_events() {
  WriterCallbacks events;
  events.on_ready = [this](const Cursors& cursors) { on_redis_ready(cursors); };
  events.on_committed = [this](const Transaction& transaction, const Outcome& outcome) {
    on_committed(transaction, outcome);
  };
  events.on_redis_error = [this](const RedisError& error, std::chrono::milliseconds retry) {
    metrics_.redis_error(error, retry);
    intake_.expect_late_answer();
  };
  events.on_removed = [this](const std::vector<Removed>& removed) { delivery_.on_removed(removed); };
  events.on_unguarded = [this](const RedisError& error) { metrics_.unguarded(error); };
  events.on_maintenance = [this](const StreamMaintenance::Report& report) { on_maintenance(report); };
  events.on_disconnect = [this](const Disconnect& disconnect) { on_disconnect(disconnect); };
  events.on_node_unreachable = [this](const Disconnect& disconnect) {
    metrics_.redis_lost(disconnect);
    intake_.expect_late_answer();
  };
  events.on_stream_lost = [this](const RedisKey& key) { delivery_.on_stream_lost(key); };
  events.on_gave_up = [this](const std::string& reason) { on_gave_up(reason); };
  return events;
}

int App::run() {
  log::info("starting", {{"redis", config_.redis.display()}, {"events", event_socket_.last_endpoint()}});
  intake_.start();
  redis_->start();
  sender_.start();
  positions_.start([this] { intake_.expect_late_answer(); });
  watchdog_.start();
  io_.run();
  return exit_code_;
}

void App::on_redis_ready(const Cursors& cursors) {
  log::info("Redis reached", {{"redis", redis_->target()}, {"sources", cursors.size()}});
  delivery_.on_ready(cursors);
  notifier_.ready(fmt::format("writing to {}", redis_->target()));
  positions_.announce();
  intake_.wake();
}

void App::on_committed(const Transaction& transaction, const Outcome& outcome) {
  if (!delivery_.on_committed(transaction, outcome)) return;
  positions_.confirm_soon();
  intake_.resume();
  delivery_.write_next();
  finish_if_drained();
}

void App::on_maintenance(const StreamMaintenance::Report& report) {
  metrics_.maintained(report);
  delivery_.write_next();
  finish_if_drained();
}

void App::on_disconnect(const Disconnect& disconnect) {
  metrics_.redis_lost(disconnect);
  notifier_.status("Redis is away; the readers keep the events");
  delivery_.on_disconnect();
  if (stopping_) finish();
}

void App::on_gave_up(const std::string& reason) {
  log::error("Redis cannot be reached", {{"redis", config_.redis.display()}, {"reason", reason}});
  exit_code_ = process::kUnavailable;
  finish();
}

void App::stop() {
  log::info("stopping");
  notifier_.stopping("writing what was taken");
  stopping_ = true;
  intake_.stop();
  if (!delivery_.is_ready() || delivery_.is_empty()) return finish();
  delivery_.write_next();
  stop_timer_.expires_after(kDrainMax);
  stop_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec) finish();
  });
}

void App::finish_if_drained() {
  if (stopping_ && delivery_.is_idle()) finish();
}

void App::finish() {
  positions_.flush();
  redis_->stop();
  sender_.stop();
  log::info("stopped");
  io_.stop();
}

}  // namespace mdpipe::publisher

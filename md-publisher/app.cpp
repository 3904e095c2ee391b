#include "md-publisher/app.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "libshared/event/event.hpp"
#include "libshared/log/log.hpp"
#include "libshared/process/exit_code.hpp"
#include "md-publisher/writer/cluster/cluster_writer.hpp"
#include "md-publisher/writer/redis_writer.hpp"

namespace mdpipe::publisher {
namespace {

// Positions are cumulative and repeated, so that losing one costs nothing.
constexpr auto kAnnounceInterval = std::chrono::milliseconds(200);
constexpr auto kQuietAnnounceInterval = std::chrono::seconds(1);  // where no events came for so long
// A reader may hear a little later what Redis has confirmed. Each position wakes it and two threads of
// ZeroMQ: at 1,000 events a second, one transaction each, telling of every one took a quarter of all
// system calls.
constexpr auto kConfirmInterval = std::chrono::milliseconds(5);
constexpr int kBatchesPerTurn = 64;
// Redis answers a transaction of less than this sooner than waiting for its answer costs anything.
constexpr std::size_t kSmallTransactionBytes = 16U << 10U;
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
                                         RedisEvents events) {
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
      events_(io_, zmq_, zmq::socket_type::pull),
      positions_(io_, zmq_, zmq::socket_type::pub),
      redis_(make_writer(io_, redis_options(config), lengths_, redis_events())),
      sender_(io_, zmq_, collector_, config.security.agent(config.metrics_endpoint),
              [this] { metrics_.buffered(filling_->commands().size() + writing_->commands().size()); }),
      watchdog_(io_, notifier_),
      signals_(
          io_, [this](int) { stop(); }, [this, reload = std::move(on_reload)] { reload(*this); }),
      announce_timer_(io_),
      confirm_timer_(io_),
      stop_timer_(io_),
      filling_(std::make_unique<Transaction>()),
      writing_(std::make_unique<Transaction>()),
      instance_(static_cast<std::uint64_t>(wall_now().count)) {
  events_.bind(config.security.listening(config.events_endpoint, "events"));
  positions_.bind(config.security.listening(config.positions_endpoint, "positions"));
}

RedisEvents App::redis_events() {
  RedisEvents events;
  events.on_ready = [this](const Cursors& cursors) { on_redis_ready(cursors); };
  events.on_committed = [this](const Transaction& transaction, const Outcome& outcome) {
    on_committed(transaction, outcome);
  };
  events.on_redis_error = [this](const RedisError& error, std::chrono::milliseconds retry) {
    metrics_.redis_error(error, retry);
    expect_late_answer();
  };
  events.on_removed = [this](const std::vector<Removed>& removed) { on_removed(removed); };
  events.on_unguarded = [this](const RedisError& error) { metrics_.unguarded(error); };
  events.on_maintenance = [this](const StreamMaintenance::Report& report) { on_maintenance(report); };
  events.on_disconnect = [this](const Disconnect& loss) { on_redis_lost(loss); };
  events.on_node_unreachable = [this](const Disconnect& loss) {
    metrics_.redis_lost(loss);
    expect_late_answer();
  };
  events.on_stream_lost = [this](const RedisKey& key) { on_stream_lost(key); };
  events.on_gave_up = [this](const std::string& reason) {
    log::error("Redis cannot be reached", {{"redis", config_.redis.display()}, {"reason", reason}});
    exit_code_ = process::kUnavailable;
    finish();
  };
  return events;
}

int App::run() {
  log::info("starting", {{"redis", config_.redis.display()}, {"events", events_.last_endpoint()}});
  events_.on_ready([this] { return on_batches(); });
  redis_->start();
  sender_.start();
  schedule_announcements();
  watchdog_.start();
  io_.run();
  return exit_code_;
}

// While stopping, what ZeroMQ still holds is left to its reader, which sends it again.
bool App::takes_batches() const {
  const bool has_room = filling_->commands().size() < config_.in_flight_bytes_max.count;
  return redis_->is_ready() && has_room && !answer_is_near_ && !stopping_;
}

// ZeroMQ wakes us for a batch only where we have looked for one and there was none. So an idle Redis is given
// the first at once, and what comes until it has answered waits in ZeroMQ and wakes nobody: the median delay
// at 5,000 events a second is 0.35 ms where it was 0.41 (bench/run.sh main).
bool App::on_batches() {
  if (redis_->is_idle() && takes_batches()) {
    if (!receive_batch()) return false;
    write_next();
  }
  return receive_batches();
}

bool App::receive_batches() {
  bool more = true;
  for (int i = 0; i < kBatchesPerTurn && more; ++i) {
    paused_ = !takes_batches();
    more = !paused_ && receive_batch();
  }
  write_next();  // also where there is no room any more: only a commit makes some
  return more;
}

bool App::receive_batch() {
  if (!events_.receive(header_part_)) return false;
  if (!header_part_.more()) {
    metrics_.batch_rejected("a message of one part; readers send a header and a payload");
    return true;
  }
  events_.receive(payload_part_);
  const bool too_many = payload_part_.more();
  zmq::message_t rest;
  while (payload_part_.more() && events_.receive(rest) && rest.more()) {
  }
  if (too_many) {
    metrics_.batch_rejected("a message of more than two parts");
  } else {
    on_batch(transport::view(header_part_), transport::view(payload_part_));
  }
  return true;
}

void App::on_batch(std::string_view header_bytes, std::string_view payload) {
  const auto header = wire::decode_batch_header(header_bytes);
  if (!header) return metrics_.batch_rejected(header.error().message);
  const wire::BatchHeader& batch = header.value();
  const std::size_t sources_before = ledger_.sources().size();
  const Decision decision = ledger_.on_batch(batch);
  if (batch.count > 0) heard_at_ = steady_now();
  if (decision.lost_redis > 0) metrics_.redis_lost_data(batch.source, decision.lost_redis);
  if (decision.dropped > 0) metrics_.reader_dropped(batch.source, decision.dropped);
  if (decision.found_duplicate_reader) metrics_.duplicate_reader(batch.source);
  if (decision.verdict == Verdict::Rejected)
    return metrics_.batch_rejected(
        "a second reader of its name, or more sources than md-publisher keeps apart");
  // Its reader waits for that.
  if (batch.closes || ledger_.sources().size() > sources_before) announce_positions();
  if (decision.verdict != Verdict::Accept) return;  // the next position tells the reader where to go on
  if (!config_.redis.cluster.empty()) filling_->begin_batch(batch.source, batch.epoch);
  const BatchCount count = writer_.write(payload, decision.skip, batch.count, *filling_, batch.first_seq);
  const std::uint64_t missing = batch.count - decision.skip - count.added - count.malformed;
  if (!count.complete)
    metrics_.batch_rejected(
        fmt::format("the payload of '{}' breaks off or disagrees with its header", batch.source));
  if (count.malformed + missing > 0) metrics_.events_malformed(batch.source, count.malformed + missing);
  // Of the source's present life, also where this batch was left over from an earlier one.
  const Progress& present = ledger_.sources().find(batch.source)->second;
  filling_->set_cursor(batch.source, {present.epoch, present.accepted});
}

void App::write_next() {
  if (!redis_->is_ready() || !redis_->is_idle()) return;
  if (!gaps_.empty()) {
    for (const auto& [feed, note] : gaps_.take()) writer_.write_gap(*feed, note, wall_now(), *filling_);
  }
  if (filling_->empty()) return;
  std::swap(filling_, writing_);
  metrics_.sending(*writing_);
  answer_is_near_ = writing_->commands().size() < kSmallTransactionBytes;
  redis_->write(*writing_);
}

// Events are taken again meanwhile, as many as a transaction holds.
void App::expect_late_answer() {
  if (std::exchange(answer_is_near_, false) && paused_) events_.rearm();
}

void App::on_redis_ready(const Cursors& cursors) {
  log::info("Redis reached", {{"redis", redis_->target()}, {"sources", cursors.size()}});
  metrics_.redis_up();
  metrics_.decide_pending(cursors);
  filling_->clear();
  read_cursors(cursors);
  notifier_.ready(fmt::format("writing to {}", redis_->target()));
  announce_positions();
  events_.rearm();
}

void App::on_committed(const Transaction& transaction, const Outcome& outcome) {
  metrics_.committed(transaction, outcome, wall_now());
  metrics_.redis_up();
  note_gaps(outcome);
  if (outcome.states_refused) filling_->add_missing_states(transaction.states());
  if (outcome.cursors_gone) return on_redis_emptied(transaction);
  for (const auto& [source, cursor] : transaction.cursors()) ledger_.on_confirmed(source, cursor);
  confirm_soon();
  writing_->clear();
  answer_is_near_ = false;
  if (paused_ && receive_batches()) events_.rearm();
  write_next();
  if (stopping_ && redis_->is_idle()) finish();
}

void App::on_maintenance(const StreamMaintenance::Report& report) {
  metrics_.maintained(report);
  write_next();
  if (stopping_ && redis_->is_idle()) finish();
}

void App::on_stream_lost(const RedisKey& key) {
  metrics_.stream_lost(key);
  gaps_.on_stream_lost(key);
}

void App::on_removed(const std::vector<Removed>& removed) {
  metrics_.removed(removed);
  for (const Removed& stream : removed) gaps_.on_removed(stream);
}

void App::note_gaps(const Outcome& outcome) {
  const bool own_refused = std::any_of(
      outcome.refused.begin(), outcome.refused.end(),
      [](const RefusedEntry& entry) { return entry.entry->stream->type == to_string(EventType::Feed); });
  own_refused ? gaps_.on_lost() : gaps_.on_committed();
  for (const RefusedEntry& entry : outcome.refused) gaps_.on_refused(*entry.entry->stream);
  for (const Removed& stream : outcome.removed) gaps_.on_removed(stream);
}

// The transaction just written made its cursors anew. To the ledger those sources are empty now; the cursors
// are read again next, and say that this transaction is in it and which other sources are gone.
void App::on_redis_emptied(const Transaction& transaction) {
  Cursors others;
  for (const auto& [source, progress] : ledger_.sources()) {
    if (transaction.cursors().count(source) == 0) others[source] = {progress.epoch, progress.confirmed};
  }
  read_cursors(others);
}

// What Redis is known to hold of each source.
void App::read_cursors(const Cursors& cursors) {
  for (const auto& source : ledger_.on_cursors(cursors)) {
    const Progress& progress = ledger_.sources().find(source)->second;
    metrics_.redis_lost_data(source, progress.lost_to - progress.lost_after);
    lengths_.forget_all();  // nobody deleted from them: they are older
  }
}

void App::on_redis_lost(const Disconnect& loss) {
  metrics_.redis_lost(loss);
  notifier_.status("Redis is away; the readers keep the events");
  gaps_.on_lost();
  filling_->clear();
  writing_->clear();
  answer_is_near_ = false;
  if (stopping_) finish();
}

void App::confirm_soon() {
  if (confirm_pending_) return;
  const SteadyTime due = confirmed_at_ + kConfirmInterval;
  if (steady_now() >= due) return confirm();
  confirm_pending_ = true;
  confirm_timer_.expires_at(due);
  confirm_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec) confirm();
  });
}

void App::confirm() {
  confirm_pending_ = false;
  confirmed_at_ = steady_now();
  for (const auto& [source, progress] : ledger_.sources()) send_position(source, progress);
}

void App::announce_positions() {
  send_position(wire::kEverySource, Progress{});
  for (const auto& [source, progress] : ledger_.sources()) send_position(source, progress);
  for (const auto& [source, runs] : ledger_.past()) {
    for (const Progress& progress : runs) send_position(source, progress);
  }
}

void App::send_position(std::string_view topic, const Progress& progress) {
  wire::Position position;
  position.instance = instance_;
  position.epoch = progress.epoch;
  position.confirmed = progress.confirmed;
  position.accepted = progress.accepted;
  position.redis_up = redis_->takes_writes();
  position.lost_after = progress.lost_after;
  position.lost_to = progress.lost_to;
  position.refused = progress.is_duplicate_reader;
  position.closed = progress.closed;
  position_bytes_.clear();
  encode(position, position_bytes_);
  if (positions_.send(topic, zmq::send_flags::sndmore)) positions_.send(position_bytes_.view());
}

void App::schedule_announcements() {
  const bool is_quiet = steady_now() - heard_at_ > kQuietAnnounceInterval;
  announce_timer_.expires_after(is_quiet ? kQuietAnnounceInterval : kAnnounceInterval);
  announce_timer_.async_wait([this](const asio::error_code& ec) {
    if (ec) return;
    announce_positions();
    expect_late_answer();
    schedule_announcements();
  });
}

void App::stop() {
  log::info("stopping");
  notifier_.stopping("writing what was taken");
  stopping_ = true;
  if (!redis_->is_ready() || (redis_->is_idle() && filling_->empty())) return finish();
  write_next();
  stop_timer_.expires_after(kDrainMax);
  stop_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec) finish();
  });
}

void App::finish() {
  if (confirm_pending_) confirm();
  redis_->stop();
  sender_.stop();
  log::info("stopped");
  io_.stop();
}

}  // namespace mdpipe::publisher

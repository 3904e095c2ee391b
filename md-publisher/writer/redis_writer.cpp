#include "md-publisher/writer/redis_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "md-publisher/redis/resp.hpp"

namespace mdpipe::publisher {
namespace {

using std::chrono::milliseconds;
using State = WriterState;
using Event = WriterEvent;
using Action = WriterAction;

constexpr std::size_t kReadBufferBytes = 64U << 10U;
constexpr auto kMaintenanceInterval = std::chrono::seconds(1);
constexpr std::string_view kWaitMs = "500";          // less than any sensible --redis-timeout
constexpr std::string_view kCursorsWaitMs = "1000";  // nothing else waits for it

ConnectionOptions writer_connection(milliseconds timeout) {
  ConnectionOptions options;
  options.connect_max = options.answer_max = timeout;
  options.answer_option = "--redis-timeout";
  options.buffer_bytes = kReadBufferBytes;
  return options;
}

}  // namespace

RedisWriter::RedisWriter(asio::io_context& io, RedisOptions options, StreamLengths& lengths,
                         WriterCallbacks callbacks)
    : options_(std::move(options)),
      lengths_(lengths),
      callbacks_(std::move(callbacks)),
      retry_timer_(io),
      maintenance_timer_(io),
      target_(options_.address),
      sentinel_(target_.sentinel.hosts.empty() ? nullptr : std::make_unique<Sentinel>(io, target_)),
      connection_(io, *this, writer_connection(options_.timeout)),
      pace_(options_.reconnect_delay_max, sentinel_ != nullptr, std::random_device{}()),
      preflight_(lengths),
      maintenance_(lengths, options_.stream_bytes_max) {
  resp::append_command(cursor_question_, "HGETALL", options_.cursor_key);
  if (options_.wait_replicas == 0) return;
  const std::string replicas = std::to_string(options_.wait_replicas);
  // What a transaction wrote whose answer, or whose replicas, were not heard: counts only once they hold it.
  resp::append_command(cursor_question_, "WAIT", replicas, kCursorsWaitMs);
  resp::append_command(wait_, "WAIT", replicas, kWaitMs);
}

std::string RedisWriter::target() const {
  const std::string peer = connection_.peer();
  const bool has_name = !peer.empty() && peer != fmt::format("{}:{}", target_.host, target_.port);
  return has_name ? fmt::format("{} ({})", target_.display(), peer) : target_.display();
}

// --- states

void RedisWriter::on(WriterEvent event) {
  const WriterStep step = writer_step(state_, event);
  state_ = step.next;
  act(step.action);
}

void RedisWriter::act(WriterAction action) {
  switch (action) {
    case Action::None:
      return;
    case Action::Connect:
      return connect();
    case Action::AskForCursors:
      return ask_for_cursors();
    case Action::ReportReady:
      return report_ready();
    case Action::CheckStreams:
      return check_streams();
    case Action::SendMaintenance:
      return send(maintenance_.commands());
    case Action::ReportMaintenance:
      return callbacks_.on_maintenance(maintenance_.report());
    case Action::CheckStreamsAndReportMaintenance:
      check_streams();
      return callbacks_.on_maintenance(maintenance_.report());
    case Action::SendTransaction:
      return send_transaction();
    case Action::PauseTransaction:
      return pause_transaction();
    case Action::AskReplicas:
      return send(wait_);
    case Action::ReportReplicasLate:
      return report_replicas_late();
    case Action::ReportCommit:
      return report_commit();
    case Action::ReportCommitAndDisconnect:
      return report_commit_and_disconnect();
    case Action::PauseConnection:
      return pause_connection();
    case Action::Close:
      return close();
  }
}

// --- the connection

void RedisWriter::connect() {
  if (!sentinel_) return connection_.open(target_);
  sentinel_->close();
  sentinel_->ask([this](const std::optional<HostPort>& master, ConnectionFailure failure) {
    if (!master) {
      failure.reason = fmt::format("no Sentinel names the master: {}", failure.reason);
      return disconnect(failure);
    }
    target_.host = master->host;
    target_.port = master->port;
    connection_.open(target_);
  });
}

// An old master that is cut off from the others may still accept writes, which its end will undo: the
// Sentinels are asked all the time.
void RedisWriter::check_master() {
  if (!sentinel_ || sentinel_->is_asking()) return;
  sentinel_->ask([this](const std::optional<HostPort>& master, const ConnectionFailure&) {
    if (!master || !is_ready() || *master == HostPort{target_.host, target_.port}) return;
    disconnect({fmt::format("{} is not the master any more, {}:{} is", target_.display(), master->host,
                            master->port),
                "Nothing: md-publisher connects to the new master.", std::nullopt});
  });
}

void RedisWriter::ask_for_cursors() { send(cursor_question_); }

void RedisWriter::on_cursors_reply(const Reply& reply) {
  const bool is_wait = replies_seen_++ > 0;
  if (reply.is_error())
    return disconnect(redis_error(
        reply.text, is_wait ? CommandOnKey{"WAIT"} : CommandOnKey{"HGETALL", options_.cursor_key}));
  if (!is_wait) cursors_ = read_cursors(reply);
  if (!is_wait && options_.wait_replicas > 0) return;
  if (is_wait && reply.integer < static_cast<long long>(options_.wait_replicas))
    return disconnect(redis_error(RedisErrorKind::NoReplicas,
                                  fmt::format("{} of {} replicas", reply.integer, options_.wait_replicas),
                                  {"WAIT"}));
  connection_.answered();
  on(Event::CursorsRead);
}

void RedisWriter::report_ready() {
  preflight_.forget();
  stored_cursors_.clear();
  for (const auto& [source, cursor] : cursors_) stored_cursors_.insert(source);
  schedule_maintenance();
  callbacks_.on_ready(cursors_);
}

void RedisWriter::disconnect(const ConnectionFailure& failure) {
  failure_ = failure;
  if (state_ == State::Maintaining || state_ == State::MaintainingFirst) {
    for (; replies_seen_ < maintenance_.count(); ++replies_seen_) maintenance_.on_unheard(replies_seen_);
  }
  on(Event::Disconnect);
}

void RedisWriter::pause_connection() {
  connection_.close();
  if (sentinel_) sentinel_->skip_to_next();
  in_flight_ = nullptr;
  maintenance_.start_over();
  maintenance_timer_.cancel();
  if (options_.no_retry) return callbacks_.on_gave_up(failure_.reason);
  const milliseconds delay = pace_.next(failure_);
  retry_timer_.expires_after(delay);
  retry_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec && state_ == State::Disconnected) on(Event::Start);
  });
  callbacks_.on_disconnect({failure_, delay});
}

void RedisWriter::close() {
  retry_timer_.cancel();
  maintenance_timer_.cancel();
  connection_.close();
  if (sentinel_) sentinel_->close();
}

void RedisWriter::send(const std::string& commands) {
  replies_seen_ = 0;
  connection_.await_answer();
  connection_.send(commands);
}

void RedisWriter::on_replies() {
  while (const Reply* reply = connection_.next_reply()) on_reply(*reply);
  connection_.expect(answer_bytes_to_wait_for());
}

void RedisWriter::on_reply(const Reply& reply) {
  switch (state_) {
    case State::ReadingCursors:
      return on_cursors_reply(reply);
    case State::Maintaining:
    case State::MaintainingFirst:
      return on_maintenance_reply(reply);
    case State::CheckingStreams:
      return on_preflight_reply(reply);
    case State::Writing:
      return on_transaction_reply(reply);
    case State::AwaitingReplicas:
    case State::ReplicasLate:
      return on_replicas(reply);
    case State::Stopped:
    case State::Disconnected:
    case State::Connecting:
    case State::Idle:
    case State::Rejected:
      break;
  }
  disconnect({"Redis sent an answer to no question", "See the log of Redis.", std::nullopt});
}

// --- maintenance

// Between two transactions, and if there is none: streams grow old while nothing is written.
bool RedisWriter::prepare_maintenance() {
  return std::exchange(maintenance_is_due_, false) && maintenance_.prepare(steady_now(), wall_now());
}

void RedisWriter::schedule_maintenance() {
  maintenance_timer_.expires_after(kMaintenanceInterval);
  maintenance_timer_.async_wait([this](const asio::error_code& ec) {
    if (ec) return;
    maintenance_is_due_ = true;
    check_master();
    if (state_ == State::Idle && prepare_maintenance()) on(Event::Maintain);
    schedule_maintenance();
  });
}

void RedisWriter::on_maintenance_reply(const Reply& reply) {
  if (!maintenance_.on_reply(replies_seen_++, reply)) return;
  connection_.answered();
  on(Event::MaintenanceDone);
}

// --- one transaction

void RedisWriter::write(Transaction& transaction) {
  in_flight_ = &transaction;
  maintenance_.touch(transaction);
  start_writing();
}

void RedisWriter::start_writing() { on(prepare_maintenance() ? Event::WriteAfterMaintain : Event::Write); }

void RedisWriter::check_streams() {
  const std::string_view state_key =
      in_flight_->states().empty() ? std::string_view() : std::string_view(options_.state_key);
  if (!preflight_.prepare(in_flight_->touched(), state_key)) return on(Event::StreamsKnown);
  send(preflight_.commands());
}

void RedisWriter::on_preflight_reply(const Reply& reply) {
  if (!preflight_.on_reply(reply, steady_now())) return;
  connection_.answered();
  if (!preflight_.removed().empty()) callbacks_.on_removed(preflight_.removed());
  if (preflight_.unguarded()) callbacks_.on_unguarded(*preflight_.unguarded());
  if (preflight_.problem()) return reject(*preflight_.problem());
  on(Event::StreamsKnown);
}

void RedisWriter::send_transaction() {
  Transaction::HashKeys keys;
  keys.cursors = options_.cursor_key;
  keys.states = options_.state_key;
  in_flight_->seal(keys, lengths_, steady_now());
  queue_error_.reset();
  send(in_flight_->commands());
}

// Redis reads 16 KiB of commands at a time and answers them, and none of that matters before EXEC's answer.
// So a large transaction wakes us for every 128 KiB. No more than that, since TCP holds back its
// acknowledgements while nobody reads.
std::size_t RedisWriter::answer_bytes_to_wait_for() const {
  constexpr std::size_t kWakeEveryBytes = 128U << 10U;
  constexpr std::size_t kAnswerBytesMin = 5;  // "+OK" and the line's end; "+QUEUED" and errors have more
  if (state_ != State::Writing || in_flight_->commands().size() < kWakeEveryBytes) return 1;
  const std::size_t answers = in_flight_->command_count() * kWakeEveryBytes / in_flight_->commands().size();
  const std::size_t left = in_flight_->command_count() - replies_seen_;
  return left > answers + 1 ? std::max<std::size_t>(1, answers * kAnswerBytesMin) : 1;
}

void RedisWriter::on_transaction_reply(const Reply& reply) {
  const std::size_t index = replies_seen_++;
  if (replies_seen_ == in_flight_->command_count()) return on_exec(reply);
  if (!reply.is_error() || queue_error_) return;
  const Transaction::Command command = in_flight_->command(index);
  queue_error_ = redis_error(reply.text, {command.name, command.key});
}

void RedisWriter::on_exec(const Reply& reply) {
  connection_.answered();
  if (reply.type == Reply::Type::Array) return on_executed(reply);
  if (!queue_error_) queue_error_ = redis_error(reply.text, {"EXEC"});
  if (says_nothing_was_written(reply.text)) return reject(*queue_error_);
  disconnect(*queue_error_);  // what was written, the cursors will say
}

void RedisWriter::on_executed(const Reply& reply) {
  auto outcome = read_outcome(reply, *in_flight_, lengths_, steady_now());
  if (!outcome)
    return disconnect({"the answer does not fit the transaction", "See the log of Redis.", std::nullopt});
  outcome_ = std::move(*outcome);
  options_.wait_replicas == 0 ? commit() : on(Event::Written);
}

// The transaction is in the master and must not be written again; only its confirmation waits.
void RedisWriter::on_replicas(const Reply& reply) {
  connection_.answered();
  if (reply.is_error()) return disconnect(redis_error(reply.text, {"WAIT"}));
  if (reply.integer >= static_cast<long long>(options_.wait_replicas)) return commit();
  rejection_ =
      redis_error(RedisErrorKind::NoReplicas,
                  fmt::format("{} of {} replicas hold it", reply.integer, options_.wait_replicas), {"WAIT"});
  on(Event::ReplicasMissing);
}

void RedisWriter::report_replicas_late() {
  send(wait_);
  callbacks_.on_redis_error(rejection_, milliseconds(0));
}

void RedisWriter::commit() {
  pace_.reset();  // not before: Redis may be reached and reject every write
  rejections_ = 0;
  if (!outcome_.refused.empty() || outcome_.states_refused) preflight_.forget();
  outcome_.cursors_gone = lack_cursors(*in_flight_, outcome_.cursors_created);
  if (outcome_.cursors_gone)
    outcome_.removed.clear();  // nobody cut a stream: readers announce what Redis lost
  on(outcome_.cursors_gone || outcome_.cursors_refused ? Event::CursorsLost : Event::Committed);
}

void RedisWriter::report_commit() {
  const Transaction& transaction = *std::exchange(in_flight_, nullptr);
  const Outcome outcome = std::exchange(outcome_, {});
  callbacks_.on_committed(transaction, outcome);
}

// Nothing more is written before the cursors have been read again.
void RedisWriter::report_commit_and_disconnect() {
  const std::optional<RedisError> error = outcome_.cursors_refused;
  report_commit();
  if (error) return disconnect(*error);
  disconnect({"the cursors were deleted: Redis was emptied",
              "See who ran FLUSHALL or DEL: ACL LOG, or Redis's log.", std::nullopt});
}

// HSET says how many of the fields are new. A cursor that was there and is new again was deleted.
bool RedisWriter::lack_cursors(const Transaction& transaction, std::uint64_t created) {
  std::uint64_t expected = 0;
  for (const auto& [source, cursor] : transaction.cursors()) {
    if (stored_cursors_.find(source) != stored_cursors_.end()) continue;
    stored_cursors_.insert(source);
    ++expected;
  }
  return created > expected;
}

// Nothing was written, and Redis said so.
void RedisWriter::reject(const RedisError& error) {
  if (info(error.kind).policy == RetryPolicy::Reconnect || options_.no_retry) return disconnect(error);
  rejection_ = error;
  on(Event::Rejection);
}

void RedisWriter::pause_transaction() {
  const RetryPolicy policy = info(rejection_.kind).policy;
  if (policy == RetryPolicy::Slow) preflight_.forget();  // what a person changes may concern any key
  const milliseconds delay = retry_delay(policy, rejections_++, options_.reconnect_delay_max);
  retry_timer_.expires_after(delay);
  retry_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec && state_ == State::Rejected) start_writing();
  });
  callbacks_.on_redis_error(rejection_, delay);
}

}  // namespace mdpipe::publisher

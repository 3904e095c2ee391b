#include "md-publisher/writer/redis_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "md-publisher/redis/resp.hpp"
#include "md-publisher/redis/tls_failure.hpp"

namespace mdpipe::publisher {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kReadBufferBytes = 64U << 10U;
constexpr auto kMaintenanceInterval = std::chrono::seconds(1);
// Where Sentinels choose a new master, a try costs little and the way is not long.
constexpr milliseconds kSentinelPauseMax{500};
constexpr std::string_view kWaitMs = "500";  // less than any sensible --redis-timeout

std::string in_words(const RedisError& error) {
  return fmt::format("{}{}{} refused: {}", error.command, error.key.empty() ? "" : " ", error.key,
                     error.text);
}

}  // namespace

RedisWriter::RedisWriter(asio::io_context& io, RedisOptions options, StreamLengths& lengths,
                         RedisEvents events)
    : io_(io),
      options_(std::move(options)),
      lengths_(lengths),
      events_(std::move(events)),
      timeout_timer_(io),
      retry_timer_(io),
      maintenance_timer_(io),
      random_(std::random_device{}()),
      target_(options_.address),
      read_buffer_(kReadBufferBytes),
      preflight_(lengths),
      maintenance_(lengths, options_.stream_bytes_max) {
  if (!target_.sentinel.hosts.empty()) sentinel_ = std::make_unique<Sentinel>(io, target_);
  if (options_.wait_replicas > 0)
    resp::append_command(wait_, "WAIT", std::to_string(options_.wait_replicas), kWaitMs);
}

void RedisWriter::stop() {
  stopped_ = true;
  timeout_timer_.cancel();
  retry_timer_.cancel();
  maintenance_timer_.cancel();
  if (stream_) stream_->close();
  if (sentinel_) sentinel_->close();
  state_ = State::Down;
}

void RedisWriter::connect() {
  state_ = State::Connecting;
  sentinel_ ? find_master() : reach();
}

void RedisWriter::find_master() {
  sentinel_->close();
  sentinel_->ask([this](const std::optional<HostPort>& master, const std::string& why) {
    if (!master) return disconnect(fmt::format("no Sentinel names the master: {}", why));
    target_.host = master->host;
    target_.port = master->port;
    reach();
  });
}

// An old master that is cut off from the others may still take writes, which its end will undo: the Sentinels
// are asked all the time.
void RedisWriter::check_master() {
  if (!sentinel_ || sentinel_->is_asking()) return;
  sentinel_->ask([this](const std::optional<HostPort>& master, const std::string&) {
    if (!master || !is_ready() || *master == HostPort{target_.host, target_.port}) return;
    disconnect(fmt::format("{} is not the master any more, {}:{} is", target_.display(), master->host,
                           master->port));
  });
}

void RedisWriter::reach() {
  stream_ = ByteStream::make(io_, target_);
  expect_answer_in_time();
  stream_->connect([this](const std::error_code& ec) {
    if (ec) return on_broken(fmt::format("cannot connect to {}", target_.display()), ec);
    start_handshake();
  });
}

void RedisWriter::start_handshake() {
  state_ = State::Handshake;
  replies_.reset();
  handshake_.prepare(target_, options_.cursor_key, options_.wait_replicas);
  send(handshake_.commands());
  read_more();
}

void RedisWriter::send(const std::string& bytes) {
  expect_answer_in_time();
  stream_->write(bytes, [this](const std::error_code& ec) {
    if (ec) on_broken("cannot write", ec);
  });
}

void RedisWriter::write(Transaction& transaction) {
  in_flight_ = &transaction;
  maintenance_.touch(transaction);
  begin();
}

void RedisWriter::begin() {
  if (maintenance_is_due_) return maintain();
  ask_or_send();
}

// Without a transaction too: streams grow old while nothing is written.
void RedisWriter::maintain() {
  maintenance_is_due_ = false;
  if (maintenance_.prepare(steady_now(), wall_now())) {
    step_ = Step::Maintaining;
    replies_seen_ = 0;
    send(maintenance_.commands());
  } else if (in_flight_ != nullptr) {
    ask_or_send();
  }
}

void RedisWriter::schedule_maintenance() {
  maintenance_timer_.expires_after(kMaintenanceInterval);
  maintenance_timer_.async_wait([this](const asio::error_code& ec) {
    if (ec) return;
    maintenance_is_due_ = true;
    check_master();
    if (is_ready() && is_idle()) maintain();
    schedule_maintenance();
  });
}

void RedisWriter::ask_or_send() {
  const std::string_view state_key =
      in_flight_->states().empty() ? std::string_view() : std::string_view(options_.state_key);
  if (!preflight_.prepare(in_flight_->touched(), state_key)) return send_transaction();
  step_ = Step::Asking;
  send(preflight_.commands());
}

void RedisWriter::send_transaction() {
  in_flight_->seal(options_.cursor_key, options_.state_key, lengths_, steady_now());
  step_ = Step::Writing;
  replies_seen_ = 0;
  queue_error_.reset();
  send(in_flight_->commands());
}

// Redis reads 16 KiB of commands at a time and answers them, and none of that matters before EXEC's answer.
// So a large transaction wakes us for every 128 KiB: 1.66 us of processor an event where it was 1.91
// (bench/run.sh main, flat out). No more than that, since TCP holds back its acknowledgements while nobody
// reads.
std::size_t RedisWriter::answer_bytes_to_wait_for() const {
  constexpr std::size_t kWakeEveryBytes = 128U << 10U;
  constexpr std::size_t kAnswerBytesMin = 5;  // "+OK" and the line's end; "+QUEUED" and errors have more
  if (step_ != Step::Writing || in_flight_->commands().size() < kWakeEveryBytes) return 1;
  const std::size_t answers = in_flight_->command_count() * kWakeEveryBytes / in_flight_->commands().size();
  const std::size_t left = in_flight_->command_count() - replies_seen_;
  return left > answers + 1 ? std::max<std::size_t>(1, answers * kAnswerBytesMin) : 1;
}

void RedisWriter::read_more() {
  stream_->expect(answer_bytes_to_wait_for());
  stream_->read_some(read_buffer_.data(), read_buffer_.size(),
                     [this](const std::error_code& ec, std::size_t bytes) {
                       if (ec) return on_broken("the connection ended", ec);
                       on_bytes(bytes);
                     });
}

void RedisWriter::on_broken(std::string_view what, const std::error_code& ec) {
  std::string reason = fmt::format("{}: {}", what, ec.message());
  if (state_ == State::Handshake && !target_.is_tls)
    reason += " before it answered anything; where the port speaks TLS, write rediss://";
  if (ec.category() != tls_category()) return disconnect(reason);
  const std::string& host = target_.tls.server_name.empty() ? target_.host : target_.tls.server_name;
  disconnect(reason, RedisError{RedisErrorKind::Tls, ec.message(), "TLS", {}, tls_remedy(ec, host)});
}

void RedisWriter::on_bytes(std::size_t bytes) {
  const ByteStream* stream = stream_.get();
  replies_.feed({read_buffer_.data(), bytes});
  for (;;) {
    const auto next = replies_.next();
    if (next == ReplyReader::Next::NeedMore) return read_more();
    if (next == ReplyReader::Next::Broken)
      return disconnect(fmt::format("no Redis protocol: {}", replies_.error()));
    on_reply();
    if (stream != stream_.get() || state_ == State::Down) return;  // the reply ended the connection
  }
}

void RedisWriter::on_reply() {
  const Reply& reply = replies_.reply();
  if (state_ == State::Handshake) return on_handshake_reply(reply);
  if (step_ == Step::Maintaining) return on_maintenance_reply(reply);
  if (in_flight_ == nullptr || step_ == Step::Waiting)
    return disconnect(fmt::format("an answer nobody asked for: {}", reply.text));
  if (step_ == Step::Asking) return on_preflight_reply(reply);
  if (step_ == Step::Replicating) return on_replicas(reply);
  on_transaction_reply(reply);
}

void RedisWriter::on_handshake_reply(const Reply& reply) {
  switch (handshake_.on_reply(reply)) {
    case Handshake::Next::More:
      return;
    case Handshake::Next::Failed:
      return disconnect(in_words(handshake_.error()), handshake_.error());
    case Handshake::Next::Done:
      break;
  }
  timeout_timer_.cancel();
  preflight_.forget();
  stored_cursors_.clear();
  for (const auto& [source, cursor] : handshake_.cursors()) stored_cursors_.insert(source);
  state_ = State::Ready;
  schedule_maintenance();
  events_.on_ready(handshake_.cursors());
}

void RedisWriter::on_maintenance_reply(const Reply& reply) {
  if (!maintenance_.on_reply(replies_seen_++, reply)) return;
  timeout_timer_.cancel();
  step_ = Step::Idle;
  if (in_flight_ != nullptr) ask_or_send();
  events_.on_maintenance(maintenance_.report());
}

void RedisWriter::on_preflight_reply(const Reply& reply) {
  if (!preflight_.on_reply(reply, steady_now())) return;
  timeout_timer_.cancel();
  if (!preflight_.removed().empty()) events_.on_removed(preflight_.removed());
  if (preflight_.unguarded()) events_.on_unguarded(*preflight_.unguarded());
  if (preflight_.problem()) return refuse(*preflight_.problem());
  send_transaction();
}

void RedisWriter::on_transaction_reply(const Reply& reply) {
  const std::size_t index = replies_seen_++;
  if (replies_seen_ == in_flight_->command_count()) return on_exec(reply);
  if (!reply.is_error() || queue_error_) return;
  const Transaction::Command command = in_flight_->command(index);
  queue_error_ =
      RedisError{classify(reply.text), reply.text, std::string(command.name), std::string(command.key)};
}

void RedisWriter::on_exec(const Reply& reply) {
  timeout_timer_.cancel();
  if (reply.type == Reply::Type::Array) return on_executed(reply);
  if (!queue_error_) queue_error_ = RedisError{classify(reply.text), reply.text, "EXEC", {}};
  if (says_nothing_was_written(reply.text)) return refuse(*queue_error_);
  disconnect(in_words(*queue_error_), queue_error_);  // what was written, the cursors will say
}

void RedisWriter::on_executed(const Reply& reply) {
  auto outcome = read_outcome(reply, *in_flight_, lengths_, steady_now());
  if (!outcome) return disconnect("the answer does not fit the transaction");
  if (options_.wait_replicas == 0) return finish(std::move(*outcome));
  outcome_ = std::move(*outcome);
  replicas_are_late_ = false;
  wait_for_replicas();
}

void RedisWriter::wait_for_replicas() {
  step_ = Step::Replicating;
  send(wait_);
}

// It stands in the master and must not be written again; only its confirmation waits.
void RedisWriter::on_replicas(const Reply& reply) {
  timeout_timer_.cancel();
  if (reply.is_error()) {
    const RedisError error{classify(reply.text), reply.text, "WAIT", {}};
    return disconnect(in_words(error), error);
  }
  if (reply.integer >= static_cast<long long>(options_.wait_replicas)) return finish(std::move(outcome_));
  replicas_are_late_ = true;
  const std::string late = fmt::format("{} of {} replicas hold it", reply.integer, options_.wait_replicas);
  events_.on_redis_error({RedisErrorKind::NoReplicas, late, "WAIT", {}}, milliseconds(0));
  wait_for_replicas();
}

void RedisWriter::finish(Outcome outcome) {
  const Transaction& transaction = *std::exchange(in_flight_, nullptr);
  step_ = Step::Idle;
  failures_ = refusals_ = 0;  // not before: Redis may be reached and refuse every write
  replicas_are_late_ = false;
  if (!outcome.refused.empty() || outcome.states_refused) preflight_.forget();
  outcome.cursors_gone = lack_cursors(transaction, outcome.cursors_created);
  if (outcome.cursors_gone) outcome.removed.clear();  // nobody cut a stream: readers announce what Redis lost
  const bool start_over = outcome.cursors_gone || outcome.cursors_refused;
  if (start_over) state_ = State::Down;  // nothing more is written before the cursors have been read again
  events_.on_committed(transaction, outcome);
  if (outcome.cursors_refused) return disconnect(in_words(*outcome.cursors_refused), outcome.cursors_refused);
  if (outcome.cursors_gone) disconnect("the cursors were deleted: Redis was emptied");
}

// HSET tells how many of the fields are new. A cursor that was there and is new again was deleted.
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
void RedisWriter::refuse(const RedisError& error) {
  const RetryPolicy policy = info(error.kind).policy;
  if (policy == RetryPolicy::Reconnect || options_.no_retry) return disconnect(in_words(error), error);
  if (policy == RetryPolicy::Slow) preflight_.forget();  // what a person changes may concern any key
  step_ = Step::Waiting;
  const milliseconds delay = retry_delay(policy, refusals_++, options_.reconnect_delay_max);
  retry_timer_.expires_after(delay);
  retry_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec && in_flight_ != nullptr && step_ == Step::Waiting) begin();
  });
  events_.on_redis_error(error, delay);
}

void RedisWriter::expect_answer_in_time() {
  timeout_timer_.expires_after(options_.timeout);
  timeout_timer_.async_wait([this](const asio::error_code& ec) {
    if (ec) return;
    const bool is_handshake = state_ == State::Connecting && target_.is_tls;
    disconnect(fmt::format("no answer within --redis-timeout {} ms{}", options_.timeout.count(),
                           is_handshake ? "; where the port does not speak TLS, write redis://" : ""));
  });
}

void RedisWriter::disconnect(const std::string& reason, std::optional<RedisError> error) {
  if (stopped_) return;
  if (stream_) stream_->close();
  if (sentinel_) sentinel_->try_next();
  replicas_are_late_ = false;
  state_ = State::Down;
  in_flight_ = nullptr;
  for (; step_ == Step::Maintaining && replies_seen_ < maintenance_.count(); ++replies_seen_)
    maintenance_.on_unheard(replies_seen_);
  maintenance_.start_over();
  step_ = Step::Idle;
  maintenance_timer_.cancel();
  timeout_timer_.cancel();
  if (options_.no_retry) return events_.on_gave_up(reason);
  const milliseconds delay = reconnect_delay(error);
  retry_timer_.expires_after(delay);
  retry_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec && !stopped_) connect();
  });
  events_.on_disconnect({reason, delay, std::move(error)});
}

milliseconds RedisWriter::reconnect_delay(const std::optional<RedisError>& error) {
  const RetryPolicy policy = error ? info(error->kind).policy : RetryPolicy::Reconnect;
  const unsigned failures = failures_++;
  // The name may lead to the new primary already.
  if (error && error->kind == RedisErrorKind::ReadOnly && failures == 0) return milliseconds(0);
  const milliseconds limit = sentinel_ && policy == RetryPolicy::Reconnect
                                 ? std::min(kSentinelPauseMax, options_.reconnect_delay_max)
                                 : options_.reconnect_delay_max;
  const auto ceiling = retry_delay(policy, failures, limit).count();
  return milliseconds(std::uniform_int_distribution<milliseconds::rep>(ceiling / 2, ceiling)(random_));
}

}  // namespace mdpipe::publisher

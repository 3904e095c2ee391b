#include "md-publisher/writer/cluster/slot_runner.hpp"

#include <fmt/format.h>

#include <utility>

#include "md-publisher/redis/resp.hpp"

namespace mdpipe::publisher {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kClusterPauseMax{500};  // between two tries; a failover takes seconds anyway
constexpr unsigned kRedirectsMax = 5;          // one after the other without a pause
constexpr std::string_view kWaitMillis = "500";

}  // namespace

void SlotJob::on_reply(const Reply& reply) { runner_.on_reply(*this, reply); }

void SlotJob::on_node_lost(const std::string& why, const std::optional<RedisError>& error) {
  runner_.on_node_lost(*this, why, error);
}

SlotRunner::SlotRunner(asio::io_context& io, ClusterNodes& nodes, Options options, Events events)
    : nodes_(nodes), options_(options), events_(std::move(events)), timer_(io) {
  resp::append_command(wait_, "WAIT", std::to_string(options_.wait_replicas), kWaitMillis);
}

void SlotRunner::stop() {
  stopped_ = true;
  timer_.cancel();
}

void SlotRunner::begin(SlotJob& job) {
  if (job.progress_.is_replicating) return wait_for_replicas(job);
  const auto ask = std::exchange(job.progress_, {}).ask;
  commands_.clear();
  if (ask) resp::append_command(commands_, "ASKING");
  std::size_t answers = job.prepare(commands_);
  if (answers == 0) return finish(job);
  const HostPort* owner = ask ? &*ask : nodes_.owner(job.slot());
  if (owner == nullptr) return late(job, "no node has the slot", std::nullopt);
  if (options_.wait_replicas > 0) {
    commands_ += wait_;
    ++answers;
  }
  job.node_ = *owner;
  job.progress_.expects_asking = ask.has_value();
  nodes_.at(job.node_).ask(job, commands_, answers + (ask ? 1 : 0));
}

void SlotRunner::on_reply(SlotJob& job, const Reply& reply) {
  auto& progress = job.progress_;
  if (std::exchange(progress.expects_asking, false)) {
    if (reply.is_error()) progress.asking_error = {classify(reply.text), reply.text, "ASKING", {}};
    return;
  }
  if (progress.is_replicating) return on_replicas(job, reply);
  progress.next = job.judge(reply);
  if (progress.next == SlotJob::Next::More) return;
  progress.is_replicating = options_.wait_replicas > 0;  // its answer comes next
  if (!progress.is_replicating) proceed(job);
}

void SlotRunner::on_node_lost(SlotJob& job, const std::string& why, const std::optional<RedisError>& error) {
  if (stopped_) return;
  job.progress_ = {};
  job.forget();
  late(job, why, error);
}

void SlotRunner::wait_for_replicas(SlotJob& job) { nodes_.at(job.node_).ask(job, wait_, 1); }

// It stands in the master and must not be written again; only its confirmation waits.
void SlotRunner::on_replicas(SlotJob& job, const Reply& reply) {
  if (job.progress_.next == SlotJob::Next::Failed) return proceed(job);
  if (reply.is_error()) return on_redis_error(job, {classify(reply.text), reply.text, "WAIT", {}});
  if (reply.integer >= static_cast<long long>(options_.wait_replicas)) return proceed(job);
  events_.on_redis_error({RedisErrorKind::NoReplicas,
                          fmt::format("{} of {} replicas hold it", reply.integer, options_.wait_replicas),
                          "WAIT",
                          {}},
                         milliseconds(0));
  wait_for_replicas(job);
}

void SlotRunner::proceed(SlotJob& job) {
  job.progress_.is_replicating = false;
  if (job.progress_.next == SlotJob::Next::Done) return finish(job);
  if (job.progress_.next == SlotJob::Next::Again) return begin(job);
  if (job.progress_.asking_error) return on_redis_error(job, *job.progress_.asking_error);
  const RedisError error = job.error();
  const auto redirect = parse_redirect(error.text);
  if (!redirect) return on_redis_error(job, error);
  const HostPort to = nodes_.follow(*redirect, job.node_);
  if (redirect->is_ask) job.progress_.ask = to;
  ++job.redirects_ <= kRedirectsMax ? begin(job) : try_again(job, pause(RetryPolicy::Reconnect));
}

void SlotRunner::finish(SlotJob& job) {
  job.redirects_ = 0;
  failures_ = 0;
  events_.on_done(job);
}

void SlotRunner::on_redis_error(SlotJob& job, const RedisError& error) {
  const milliseconds retry = pause(info(error.kind).policy);
  try_again(job, retry);
  events_.on_redis_error(error, retry);
}

void SlotRunner::late(SlotJob& job, const std::string& why, const std::optional<RedisError>& error) {
  const milliseconds retry = pause(error ? info(error->kind).policy : RetryPolicy::Reconnect);
  try_again(job, retry);
  events_.on_node_unreachable({why, retry, error});
}

milliseconds SlotRunner::pause(RetryPolicy policy) {
  return retry_delay(policy, failures_++,
                     policy == RetryPolicy::Reconnect ? kClusterPauseMax : options_.pause_max);
}

// Those that wait are tried together, when the first of them is due.
void SlotRunner::try_again(SlotJob& job, milliseconds pause) {
  job.redirects_ = 0;
  waiting_.push_back(&job);
  const auto due = std::chrono::steady_clock::now() + pause;
  if (waiting_.size() > 1 && timer_.expiry() <= due) return;
  timer_.expires_at(due);
  timer_.async_wait([this](const asio::error_code& ec) {
    if (ec || stopped_) return;
    nodes_.ask_for_map();
    for (SlotJob* waiting : std::exchange(waiting_, {})) begin(*waiting);
  });
}

}  // namespace mdpipe::publisher

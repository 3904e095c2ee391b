#include "md-publisher/writer/cluster/slot_runner.hpp"

#include <fmt/format.h>

#include <utility>

#include "md-publisher/redis/resp.hpp"

namespace mdpipe::publisher {
namespace {

using std::chrono::milliseconds;

constexpr unsigned kRedirectsMax = 5;  // one after the other without a pause
constexpr std::string_view kWaitMillis = "500";

}  // namespace

void SlotJob::on_reply(const Reply& reply) { runner_.on_reply(*this, reply); }

void SlotJob::on_node_unreachable(const ConnectionFailure& failure) {
  runner_.on_node_unreachable(*this, failure);
}

SlotRunner::SlotRunner(asio::io_context& io, ClusterNodes& nodes, Options options, Callbacks callbacks)
    : nodes_(nodes),
      options_(options),
      callbacks_(std::move(callbacks)),
      timer_(io),
      pace_(options.pause_max, true, std::random_device{}()) {
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
  if (owner == nullptr)
    return put_off(job, {fmt::format("no node has the slot {}", job.slot()),
                         "Repair the Cluster: redis-cli --cluster fix.", std::nullopt});
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

void SlotRunner::on_node_unreachable(SlotJob& job, const ConnectionFailure& failure) {
  if (stopped_) return;
  job.progress_ = {};
  job.forget();
  put_off(job, failure);
}

void SlotRunner::wait_for_replicas(SlotJob& job) { nodes_.at(job.node_).ask(job, wait_, 1); }

// It stands in the master and must not be written again; only its confirmation waits.
void SlotRunner::on_replicas(SlotJob& job, const Reply& reply) {
  if (job.progress_.next == SlotJob::Next::Failed) return proceed(job);
  if (reply.is_error()) return on_redis_error(job, redis_error(reply.text, {"WAIT"}));
  if (reply.integer >= static_cast<long long>(options_.wait_replicas)) return proceed(job);
  callbacks_.on_redis_error(
      redis_error(RedisErrorKind::NoReplicas,
                  fmt::format("{} of {} replicas hold it", reply.integer, options_.wait_replicas), {"WAIT"}),
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
  ++job.redirects_ <= kRedirectsMax ? begin(job) : try_again(job, pace_.next({}));
}

void SlotRunner::finish(SlotJob& job) {
  job.redirects_ = 0;
  pace_.reset();
  callbacks_.on_done(job);
}

void SlotRunner::on_redis_error(SlotJob& job, const RedisError& error) {
  const milliseconds retry = pace_.next({{}, {}, error});
  try_again(job, retry);
  callbacks_.on_redis_error(error, retry);
}

void SlotRunner::put_off(SlotJob& job, const ConnectionFailure& failure) {
  const milliseconds retry = pace_.next(failure);
  try_again(job, retry);
  callbacks_.on_node_unreachable({failure, retry});
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

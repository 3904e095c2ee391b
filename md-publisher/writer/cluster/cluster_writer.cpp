#include "md-publisher/writer/cluster/cluster_writer.hpp"

#include <algorithm>
#include <utility>

namespace mdpipe::publisher {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kCheckInterval{1'000};

}  // namespace

ClusterWriter::ClusterWriter(asio::io_context& io, RedisOptions options, StreamLengths& lengths,
                             WriterCallbacks callbacks)
    : options_(std::move(options)),
      lengths_(lengths),
      callbacks_(std::move(callbacks)),
      nodes_(io, options_.address, options_.timeout, node_callbacks()),
      runner_(io, nodes_, {options_.wait_replicas, options_.reconnect_delay_max}, runner_callbacks()),
      maintenance_(nodes_, lengths, options_.stream_bytes_max,
                   [this](const StreamMaintenance::Report& report) { on_maintenance(report); }),
      states_(runner_, options_.state_key),
      cursors_(runner_, options_.cursor_key),
      retry_timer_(io),
      check_timer_(io),
      pace_(options_.reconnect_delay_max, true, std::random_device{}()) {
  round_.id.publisher = "publisher/" + options_.source;
  round_.id.run = static_cast<std::uint64_t>(wall_now().count);
}

ClusterNodes::Callbacks ClusterWriter::node_callbacks() {
  return {[this] { on_map(); }, [this](const ConnectionFailure& failure) { on_no_map(failure); },
          [this] { on_nodes_changed(); }};
}

SlotRunner::Callbacks ClusterWriter::runner_callbacks() {
  const auto on_redis_error = [this](const RedisError& error, milliseconds retry) {
    if (options_.no_retry) return callbacks_.on_gave_up(error.text);
    is_late_ = true;
    callbacks_.on_redis_error(error, retry);
  };
  const auto on_node_unreachable = [this](const Disconnect& disconnect) {
    if (options_.no_retry) return callbacks_.on_gave_up(disconnect.failure.reason);
    is_late_ = true;
    callbacks_.on_node_unreachable(disconnect);
  };
  return {[this](SlotJob& job) { on_done(job); }, on_redis_error, on_node_unreachable};
}

void ClusterWriter::start() {
  nodes_.ask_for_map();
  check_nodes();
}

void ClusterWriter::stop() {
  is_ready_ = false;
  retry_timer_.cancel();
  check_timer_.cancel();
  runner_.stop();
  nodes_.stop();
}

// --- the Cluster

void ClusterWriter::on_map() {
  if (!is_ready_ && !is_reading_) read_cursors();
}

void ClusterWriter::on_no_map(const ConnectionFailure& failure) {
  if (is_ready_ || is_reading_) return;
  if (options_.no_retry) return callbacks_.on_gave_up(failure.reason);
  const milliseconds delay = pace_.next(failure);
  retry_timer_.expires_after(delay);
  retry_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec) nodes_.ask_for_map();
  });
  callbacks_.on_disconnect({failure, delay});
}

void ClusterWriter::read_cursors() {
  is_reading_ = true;
  cursors_.set([this](const Reply& reply) { read_ = publisher::read_cursors(reply); }, "HGETALL");
  runner_.begin(cursors_);
}

// Another node may have less than what was confirmed: each shard reads its cursors before it is written
// again.
void ClusterWriter::on_nodes_changed() {
  for (const auto& [tag, job] : shards_) job->forget();
  maintenance_.start_over();
}

// A node that hangs does not say so; the others do.
void ClusterWriter::check_nodes() {
  check_timer_.expires_after(kCheckInterval);
  check_timer_.async_wait([this, round = round_.id.number](const asio::error_code& ec) {
    if (ec) return;
    if (is_ready_ && !is_idle() && round == round_.id.number) nodes_.ask_for_map();
    maintenance_is_due_ = true;
    if (is_ready_ && is_idle()) maintain();
    check_nodes();
  });
}

// Between two rounds, and if there is none: streams grow old while nothing is written.
void ClusterWriter::maintain() {
  maintenance_is_due_ = false;
  if (!maintenance_.begin(steady_now(), wall_now()) && round_.transaction != nullptr) begin_round();
}

void ClusterWriter::on_maintenance(const StreamMaintenance::Report& report) {
  if (round_.transaction != nullptr) begin_round();
  callbacks_.on_maintenance(report);
}

// --- one transaction

void ClusterWriter::write(Transaction& transaction) {
  round_.transaction = &transaction;
  maintenance_.touch(transaction);
  maintenance_is_due_ ? maintain() : begin_round();
}

void ClusterWriter::begin_round() {
  const Transaction& transaction = *round_.transaction;
  ++round_.id.number;
  round_.outcome = Outcome();
  split(transaction);
  const bool has_states = !transaction.states().empty();
  pending_ = active_.size() + (has_states ? 1 : 0);
  if (pending_ == 0) return write_cursors();
  if (has_states) {
    states_.set_fields(transaction.states(),
                       [](const std::string& state) { return std::string_view(state); });
    runner_.begin(states_);
  }
  for (ShardJob* job : std::vector<ShardJob*>(active_)) runner_.begin(*job);
}

void ClusterWriter::split(const Transaction& transaction) {
  active_.clear();
  for (const auto& touched : transaction.touched()) shard_of(*touched.key).shard.touch(*touched.key);
  std::size_t offset = transaction.first_entry_offset();
  const auto& batches = transaction.batches();
  auto next_batch = batches.begin();
  const Transaction::Batch* batch = nullptr;
  for (std::size_t i = 0; i < transaction.entries().size(); ++i) {
    while (next_batch != batches.end() && next_batch->first_entry <= i) batch = &*next_batch++;
    const Transaction::Entry& entry = transaction.entries()[i];
    ShardJob& job = shard_of(*entry.stream->key);
    if (job.shard.empty()) active_.push_back(&job);
    job.shard.add(i, offset, batch);
    offset += entry.bytes;
  }
}

ShardJob& ClusterWriter::shard_of(const RedisKey& key) {
  if (key.id >= shard_of_key_.size()) shard_of_key_.resize(key.id + 1);
  ShardJob*& job = shard_of_key_[key.id];
  if (job == nullptr) {
    auto& shard = shards_[std::string(hash_tag(key.name))];
    if (!shard)
      shard = std::make_unique<ShardJob>(runner_, round_, lengths_, callbacks_,
                                         cursor_key_beside(options_.cursor_key, key.name), slot_of(key.name));
    shard->keys.push_back(&key);
    job = shard.get();
  }
  return *job;
}

void ClusterWriter::on_done(SlotJob& job) {
  if (&job != &cursors_) {
    if (--pending_ == 0) write_cursors();
  } else if (std::exchange(is_reading_, false)) {
    is_ready_ = true;
    is_late_ = false;
    callbacks_.on_ready(read_);
  } else {
    commit();
  }
}

void ClusterWriter::write_cursors() {
  const auto& cursors = round_.transaction->cursors();
  if (cursors.empty()) return commit();
  cursors_.set_fields(cursors, [](const Cursor& cursor) { return format_cursor(cursor); });
  runner_.begin(cursors_);
}

void ClusterWriter::commit() {
  for (ShardJob* job : active_) job->shard.end_round(round_.outcome);
  active_.clear();
  is_late_ = false;
  // In the order of the entries, as those of one Redis come.
  auto& rejected = round_.outcome.refused;
  std::sort(rejected.begin(), rejected.end(),
            [](const RefusedEntry& a, const RefusedEntry& b) { return a.entry < b.entry; });
  rejected.erase(std::unique(rejected.begin(), rejected.end(),
                             [](const RefusedEntry& a, const RefusedEntry& b) { return a.entry == b.entry; }),
                 rejected.end());
  const Transaction& transaction = *std::exchange(round_.transaction, nullptr);
  const Outcome outcome = std::move(round_.outcome);
  callbacks_.on_committed(transaction, outcome);
}

}  // namespace mdpipe::publisher

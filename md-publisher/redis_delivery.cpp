#include "md-publisher/redis_delivery.hpp"

#include <algorithm>
#include <utility>

#include "libshared/event/event.hpp"

namespace mdpipe::publisher {
namespace {

// Redis answers a transaction of less than this sooner than waiting for its answer costs anything.
constexpr std::size_t kSmallTransactionBytes = 16U << 10U;

}  // namespace

RedisDelivery::RedisDelivery(EventWriter& redis, BatchWriter& writer, SourceLedger& ledger,
                             StreamLengths& lengths, PublisherMetrics& metrics, std::size_t bytes_max)
    : redis_(redis),
      writer_(writer),
      ledger_(ledger),
      lengths_(lengths),
      metrics_(metrics),
      bytes_max_(bytes_max),
      filling_(std::make_unique<Transaction>()),
      writing_(std::make_unique<Transaction>()) {}

void RedisDelivery::write_next() {
  if (!redis_.is_ready() || !redis_.is_idle()) return;
  if (!gaps_.empty()) {
    for (const auto& [feed, note] : gaps_.begin_writing())
      writer_.write_gap(*feed, note, wall_now(), *filling_);
  }
  if (filling_->empty()) return;
  std::swap(filling_, writing_);
  metrics_.sending(*writing_);
  answer_is_near_ = writing_->commands().size() < kSmallTransactionBytes;
  redis_.write(*writing_);
}

bool RedisDelivery::expect_late_answer() { return std::exchange(answer_is_near_, false); }

void RedisDelivery::on_ready(const Cursors& cursors) {
  metrics_.redis_up();
  metrics_.decide_pending(cursors);
  filling_->clear();
  apply_cursors(cursors);
}

bool RedisDelivery::on_committed(const Transaction& transaction, const Outcome& outcome) {
  metrics_.committed(transaction, outcome, wall_now());
  metrics_.redis_up();
  note_gaps(outcome);
  if (outcome.states_refused) filling_->add_missing_states(transaction.states());
  if (outcome.cursors_gone) {
    on_redis_emptied(transaction);
    return false;
  }
  for (const auto& [source, cursor] : transaction.cursors()) ledger_.on_confirmed(source, cursor);
  writing_->clear();
  answer_is_near_ = false;
  return true;
}

void RedisDelivery::on_removed(const std::vector<Removed>& removed) {
  metrics_.removed(removed);
  for (const Removed& stream : removed) gaps_.on_removed(stream);
}

void RedisDelivery::on_stream_lost(const RedisKey& key) {
  metrics_.stream_lost(key);
  gaps_.on_stream_lost(key);
}

void RedisDelivery::on_disconnect() {
  gaps_.on_lost();
  filling_->clear();
  writing_->clear();
  answer_is_near_ = false;
}

void RedisDelivery::note_gaps(const Outcome& outcome) {
  const bool own_rejected = std::any_of(
      outcome.refused.begin(), outcome.refused.end(),
      [](const RefusedEntry& entry) { return entry.entry->stream->type == to_string(EventType::Feed); });
  own_rejected ? gaps_.on_lost() : gaps_.on_committed();
  for (const RefusedEntry& entry : outcome.refused) gaps_.on_rejected(*entry.entry->stream);
  for (const Removed& stream : outcome.removed) gaps_.on_removed(stream);
}

// The transaction just written created its cursors again. To the ledger those sources are empty now; the
// cursors are read again next, and say that this transaction is in Redis and which other sources are gone.
void RedisDelivery::on_redis_emptied(const Transaction& transaction) {
  Cursors others;
  for (const auto& [source, progress] : ledger_.sources()) {
    if (transaction.cursors().count(source) == 0) others[source] = {progress.epoch, progress.confirmed};
  }
  apply_cursors(others);
}

// What Redis is known to hold of each source.
void RedisDelivery::apply_cursors(const Cursors& cursors) {
  for (const auto& source : ledger_.on_cursors(cursors)) {
    const Progress& progress = ledger_.sources().find(source)->second;
    metrics_.redis_lost_data(source, progress.lost_to - progress.lost_after);
    lengths_.forget_all();  // nobody deleted from the streams: they are older
  }
}

}  // namespace mdpipe::publisher

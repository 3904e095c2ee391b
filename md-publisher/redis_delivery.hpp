#pragma once
// The way of events from a batch to Redis: one transaction is filled while the other one is written. Decides
// when the next one is written, and accounts for what became of each: what Redis confirmed, what it rejected,
// which gaps the feeds have.
#include <memory>
#include <vector>

#include "md-publisher/publisher_metrics.hpp"
#include "md-publisher/source_ledger.hpp"
#include "md-publisher/streams/stream_lengths.hpp"
#include "md-publisher/transaction/batch_writer.hpp"
#include "md-publisher/transaction/gap_notes.hpp"
#include "md-publisher/transaction/transaction.hpp"
#include "md-publisher/writer/event_writer.hpp"

namespace mdpipe::publisher {

class RedisDelivery {
 public:
  // All of them outlive it. A transaction of `bytes_max` or more is filled no further.
  RedisDelivery(EventWriter& redis, BatchWriter& writer, SourceLedger& ledger, StreamLengths& lengths,
                PublisherMetrics& metrics, std::size_t bytes_max);

  // The transaction that takes the next events, if accepts_events().
  [[nodiscard]] Transaction& filling() { return *filling_; }
  [[nodiscard]] bool accepts_events() const {
    return redis_.is_ready() && filling_->commands().size() < bytes_max_ && !answer_is_near_;
  }
  [[nodiscard]] bool is_idle() const { return redis_.is_idle(); }
  [[nodiscard]] bool is_ready() const { return redis_.is_ready(); }
  // Everything is written.
  [[nodiscard]] bool is_empty() const { return redis_.is_idle() && filling_->empty(); }
  [[nodiscard]] std::size_t buffered_bytes() const {
    return filling_->commands().size() + writing_->commands().size();
  }

  // Writes what has been filled in, if Redis is ready and idle.
  void write_next();
  // The answer to a small transaction is late: accepts events meanwhile. True if it did not before.
  bool expect_late_answer();

  // --- what the writer reports (event_writer.hpp)

  void on_ready(const Cursors& cursors);
  // False if Redis was emptied: the writer reads the cursors again next.
  bool on_committed(const Transaction& transaction, const Outcome& outcome);
  void on_removed(const std::vector<Removed>& removed);
  void on_stream_lost(const RedisKey& key);
  void on_disconnect();

 private:
  void note_gaps(const Outcome& outcome);
  void on_redis_emptied(const Transaction& transaction);
  void apply_cursors(const Cursors& cursors);

  EventWriter& redis_;
  BatchWriter& writer_;
  SourceLedger& ledger_;
  StreamLengths& lengths_;
  PublisherMetrics& metrics_;
  std::size_t bytes_max_;
  std::unique_ptr<Transaction> filling_, writing_;
  GapNotes gaps_;
  bool answer_is_near_ = false;  // a small transaction is on its way
};

}  // namespace mdpipe::publisher

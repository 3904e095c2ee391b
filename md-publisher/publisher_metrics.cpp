#include "md-publisher/publisher_metrics.hpp"

#include <algorithm>

#include "md-publisher/source_ledger.hpp"

namespace mdpipe::publisher {

using metrics::Metric;
namespace error_type = metrics::error_type;

PublisherMetrics::PublisherMetrics(metrics::MetricsCollector& collector)
    : collector_(collector),
      redis_up_(collector.series(Metric::RedisUp, {collector.options().component})),
      buffer_bytes_(collector.series(Metric::RedisBufferBytes, {collector.options().source})) {}

void PublisherMetrics::sending(const Transaction& transaction) {
  metrics::PendingCounts& pending = collector_.pending();
  pending.begin();
  for (const Transaction::Entry& entry : transaction.entries()) {
    pending.add(entry.stream->published, 1);
    pending.add(entry.stream->bytes, entry.bytes);
  }
  metrics::PendingMark
      mark;  // one cursor tells of all, as they are set together; without any nothing can tell
  if (!transaction.cursors().empty()) {
    const auto& [source, cursor] = *transaction.cursors().begin();
    mark = {source, cursor.epoch, cursor.seq};
  }
  pending.seal(mark);
}

// One transaction is on its way at a time, so a cursor that has reached the noted one was set by it.
void PublisherMetrics::decide_pending(const Cursors& cursors) {
  metrics::PendingCounts& pending = collector_.pending();
  if (!pending.is_open()) return;
  const metrics::PendingMark mark = pending.mark();
  const bool written = std::any_of(cursors.begin(), cursors.end(), [&mark](const auto& cursor) {
    std::uint64_t epoch = 0, seq = 0;
    return cursor.first == mark.source && parse_cursor(cursor.second, epoch, seq) && epoch == mark.epoch &&
           seq >= mark.seq;
  });
  if (!written) return pending.discard();
  pending.commit();
  log::info("Redis holds the transaction whose answer was not heard; its events are counted as published",
            {{"source", mark.source}, {"seq", mark.seq}});
}

void PublisherMetrics::committed(const Transaction& transaction, const std::vector<RefusedEntry>& refused,
                                 UnixNanos now) {
  if (!collector_.pending().is_open()) sending(transaction);
  auto next_refused = refused.begin();
  for (const Transaction::Entry& entry : transaction.entries()) {
    if (next_refused != refused.end() && next_refused->entry == &entry) {
      collector_.increment_error(error_type::kPublish);
      drop("redis_refused", 1);
      collector_.pending().take_back(entry.stream->published, 1);
      collector_.pending().take_back(entry.stream->bytes, entry.bytes);
      if (const auto suppressed = refused_entry_limit_.admit(steady_now())) {
        log::error(
            "Redis refused an event; its stream's key holds something else",
            {{"stream", entry.stream->name}, {"error", next_refused->error}, {"suppressed", *suppressed}});
      }
      ++next_refused;
      continue;
    }
    collector_.observe(entry.stream->latency, std::max(now - entry.recv, std::chrono::nanoseconds(0)));
  }
  collector_.pending().commit();
}

void PublisherMetrics::redis_up() { collector_.set(redis_up_, 1); }

void PublisherMetrics::redis_lost(const std::string& reason, std::chrono::milliseconds retry) {
  collector_.set(redis_up_, 0);
  collector_.increment_error(error_type::kPublish);
  if (const auto suppressed = lost_limit_.admit(steady_now())) {
    log::warn("Redis lost; the readers keep the events",
              {{"reason", reason}, {"retry_ms", retry.count()}, {"suppressed", *suppressed}});
  }
}

void PublisherMetrics::batch_refused(std::string_view why) {
  collector_.increment_error(error_type::kLink);
  if (const auto suppressed = refused_batch_limit_.admit(steady_now())) {
    log::error("message of a reader refused", {{"reason", why}, {"suppressed", *suppressed}});
  }
}

void PublisherMetrics::events_malformed(std::string_view source, std::uint64_t count) {
  collector_.increment_error(error_type::kLink);
  drop("malformed", count);
  if (const auto suppressed = malformed_limit_.admit(steady_now())) {
    log::error("events without type, exchange or symbol dropped",
               {{"source", source}, {"count", count}, {"suppressed", *suppressed}});
  }
}

void PublisherMetrics::events_lost(std::string_view source, std::uint64_t count) {
  if (const auto suppressed = lost_events_limit_.admit(steady_now())) {
    log::error("events are missing that the reader no longer has",
               {{"source", source}, {"count", count}, {"suppressed", *suppressed}});
  }
}

void PublisherMetrics::buffered(std::size_t bytes) {
  collector_.set(buffer_bytes_, static_cast<double>(bytes));
}

void PublisherMetrics::drop(std::string_view reason, std::uint64_t count) {
  collector_.add(
      collector_.series(Metric::DroppedEvents, {collector_.options().component, "", "", "", reason}), count);
}

}  // namespace mdpipe::publisher

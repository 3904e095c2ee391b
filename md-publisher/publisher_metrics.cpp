#include "md-publisher/publisher_metrics.hpp"

#include <algorithm>
#include <utility>

namespace mdpipe::publisher {

using metrics::DropReason;
using metrics::Metric;
namespace error_type = metrics::error_type;

PublisherMetrics::PublisherMetrics(metrics::MetricsCollector& collector, std::string redis_user)
    : collector_(collector),
      redis_user_(redis_user.empty() ? "default" : std::move(redis_user)),
      redis_up_(collector.series(Metric::RedisUp, {collector.options().component})),
      buffer_bytes_(collector.series(Metric::RedisBufferBytes, {collector.options().source})),
      memory_used_(collector.series(Metric::RedisMemoryUsed, {collector.options().component})),
      memory_max_(collector.series(Metric::RedisMemoryMax, {collector.options().component})),
      stream_bytes_(collector.series(Metric::StreamBytes, {collector.options().component})) {
  for (const RedisErrorInfo& info : redis_error_infos()) {
    redis_errors_.at(static_cast<std::size_t>(info.kind)) =
        collector.series(Metric::RedisRefusals, {collector.options().component, info.label});
  }
}

void PublisherMetrics::sending(const Transaction& transaction) {
  metrics::PendingCounts& pending = collector_.pending();
  pending.begin();
  for (const Transaction::StreamTotals& totals : transaction.stream_totals()) {
    pending.add(totals.stream->published, totals.entries);
    pending.add(totals.stream->bytes, totals.bytes);
  }
  // All cursors are set together, so one of them stands for all. Without a cursor nothing says later whether
  // the counts are true.
  metrics::PendingMark mark;
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
  const auto found = cursors.find(mark.source);
  const bool is_written =
      found != cursors.end() && found->second.epoch == mark.epoch && found->second.seq >= mark.seq;
  if (!is_written) return pending.discard();
  pending.commit();
  log::info("Redis holds the transaction whose answer was lost; its events are counted as published",
            {{"source", mark.source}, {"seq", mark.seq}});
}

void PublisherMetrics::committed(const Transaction& transaction, const Outcome& outcome, UnixNanos now) {
  if (!collector_.pending().is_open()) sending(transaction);
  auto next_refused = outcome.refused.begin();
  for (const Transaction::Entry& entry : transaction.entries()) {
    if (next_refused != outcome.refused.end() && next_refused->entry == &entry) {
      collector_.pending().take_back(entry.stream->published, 1);
      collector_.pending().take_back(entry.stream->bytes, entry.bytes);
      entry_refused(*next_refused++);
      continue;
    }
    collector_.observe(entry.stream->latency, std::max(now - entry.recv, std::chrono::nanoseconds(0)));
  }
  collector_.pending().commit();
  if (outcome.states_refused) redis_error(*outcome.states_refused, std::chrono::milliseconds(0));
  removed(outcome.removed);
}

void PublisherMetrics::entry_refused(const RefusedEntry& refused) {
  const Stream& stream = *refused.entry->stream;
  collector_.increment_error(error_type::kPublish);
  count_redis_error(classify(refused.error));
  drop(stream, DropReason::RedisRefused, 1);
  if (const auto suppressed = refused_entry_limit_.admit(steady_now())) {
    log::error("Redis rejected an event: the key of its stream holds another type",
               {{"stream", stream.key->name}, {"error", refused.error}, {"suppressed", *suppressed}});
  }
}

void PublisherMetrics::redis_up() { collector_.set(redis_up_, 1); }

void PublisherMetrics::redis_lost(const Disconnect& disconnect) {
  const ConnectionFailure& failure = disconnect.failure;
  collector_.set(redis_up_, 0);
  collector_.increment_error(error_type::kPublish);
  if (failure.error) count_redis_error(failure.error->kind);
  const auto suppressed = lost_limit_.admit(steady_now());
  if (!suppressed) return;
  constexpr std::string_view kMessage = "Redis lost; the readers keep the events";
  const auto retry_ms = static_cast<std::int64_t>(disconnect.retry.count());
  if (!failure.error)
    return log::warn(kMessage, {{"reason", failure.reason},
                                {"remedy", failure.remedy},
                                {"retry_ms", retry_ms},
                                {"suppressed", *suppressed}});
  const RedisErrorInfo& kind = info(failure.error->kind);
  log::write(kind.policy == RetryPolicy::Slow ? log::Level::Error : log::Level::Warn, kMessage,
             {{"reason", failure.reason},
              {"refusal", kind.label},
              {"user", redis_user_},
              {"remedy", remedy(*failure.error, redis_user_)},
              {"retry_ms", retry_ms},
              {"suppressed", *suppressed}});
}

void PublisherMetrics::redis_error(const RedisError& error, std::chrono::milliseconds retry) {
  collector_.increment_error(error_type::kPublish);
  count_redis_error(error.kind);
  const auto suppressed = refused_limit_.admit(steady_now());
  if (!suppressed) return;
  const RedisErrorInfo& kind = info(error.kind);
  const bool person = kind.policy == RetryPolicy::Slow;
  std::string_view message = "Redis refused the events; they are kept and written again";
  if (person) message = "Redis refuses the events until someone changes it; they are kept and tried again";
  if (error.command == "WAIT")
    message = "too few replicas hold the events; the readers keep them until more do";
  log::write(person ? log::Level::Error : log::Level::Warn, message,
             {{"refusal", kind.label},
              {"error", error.text},
              {"command", error.command},
              {"key", error.key},
              {"user", redis_user_},
              {"remedy", remedy(error, redis_user_)},
              {"retry_ms", static_cast<std::int64_t>(retry.count())},
              {"suppressed", *suppressed}});
}

void PublisherMetrics::removed(const std::vector<Removed>& removed) {
  for (const Removed& stream : removed) {
    collector_.add(stream.key->removed, stream.entries);
    if (const auto suppressed = removed_limit_.admit(steady_now())) {
      log::warn("someone deleted or trimmed a stream; the feeds in it get a gap",
                {{"stream", stream.key->name}, {"entries", stream.entries}, {"suppressed", *suppressed}});
    }
  }
}

void PublisherMetrics::maintained(const StreamMaintenance::Report& report) {
  if (report.memory) memory(*report.memory);
  if (report.stream_bytes) collector_.set(stream_bytes_, static_cast<double>(*report.stream_bytes));
  if (!report.refused) return;
  count_redis_error(report.refused->kind);
  log::warn("Redis forbids to read or limit its memory use; streams may grow until it refuses writes",
            {{"command", report.refused->command},
             {"error", report.refused->text},
             {"remedy", remedy(*report.refused, redis_user_)}});
}

void PublisherMetrics::memory(const RedisMemory& memory) {
  constexpr double kNearlyFull = 0.9;
  const auto used = static_cast<double>(memory.used), max = static_cast<double>(memory.max);
  collector_.set(memory_used_, used);
  collector_.set(memory_max_, max);
  if (memory.max == 0) return;
  if (memory.evicts && !std::exchange(said_evicts_, true)) {
    log::warn("at maxmemory this Redis deletes streams and positions to make room",
              {{"remedy", "CONFIG SET maxmemory-policy noeviction, or a volatile- policy"}});
  }
  if (used < kNearlyFull * max) return;
  if (const auto suppressed = memory_limit_.admit(steady_now())) {
    log::warn("Redis has nearly reached maxmemory; at maxmemory it refuses writes",
              {{"node", memory.node},
               {"used_bytes", memory.used},
               {"max_bytes", memory.max},
               {"remedy", "raise maxmemory, or keep less with --maxlen, --maxage or --stream-bytes-max"},
               {"suppressed", *suppressed}});
  }
}

void PublisherMetrics::unguarded(const RedisError& error) {
  count_redis_error(error.kind);
  if (std::exchange(said_unguarded_, true)) return;
  log::warn(
      "Redis forbids to ask for the length of a stream; mdpipe cannot notice when it is deleted or trimmed",
      {{"stream", error.key}, {"error", error.text}, {"remedy", remedy(error, redis_user_)}});
}

void PublisherMetrics::batch_rejected(std::string_view why) {
  collector_.increment_error(error_type::kLink);
  if (const auto suppressed = rejected_batch_limit_.admit(steady_now())) {
    log::error("message of a reader refused", {{"reason", why}, {"suppressed", *suppressed}});
  }
}

void PublisherMetrics::events_malformed(std::string_view source, std::uint64_t count) {
  collector_.increment_error(error_type::kLink);
  drop({}, DropReason::Malformed, count);
  if (const auto suppressed = malformed_limit_.admit(steady_now())) {
    log::error("events without type, exchange or symbol dropped",
               {{"source", source}, {"count", count}, {"suppressed", *suppressed}});
  }
}

// The reader counted them and says in gap events which they were.
void PublisherMetrics::reader_dropped(std::string_view source, std::uint64_t count) {
  if (const auto suppressed = lost_events_limit_.admit(steady_now())) {
    log::warn("events are missing that the reader dropped; gap events say which",
              {{"source", source}, {"count", count}, {"suppressed", *suppressed}});
  }
}

void PublisherMetrics::redis_lost_data(std::string_view source, std::uint64_t count) {
  collector_.add(collector_.series(Metric::RedisLostEvents, {source}), count);
  log::warn(
      "Redis has lost confirmed events of a source: it was emptied, failed over or restored",
      {{"source", source}, {"events", count}, {"remedy", "a backup of Redis; the reader writes gap events"}});
}

// How many is not known; at least one.
void PublisherMetrics::stream_lost(const RedisKey& key) {
  collector_.add(collector_.series(Metric::RedisLostEvents, {key.name}), 1);
  log::warn(
      "a failover lost the newest events of a stream; the feeds in it get a gap",
      {{"stream", key.name},
       {"remedy", "set --redis-wait-replicas: events are then confirmed only once replicas hold them"}});
}

void PublisherMetrics::duplicate_reader(std::string_view source) {
  collector_.increment_error(error_type::kLink);
  log::error(
      "two readers of one name are alive; the one that started later is refused. Give each its own --source",
      {{"source", source}});
}

void PublisherMetrics::buffered(std::size_t bytes) {
  collector_.set(buffer_bytes_, static_cast<double>(bytes));
}

void PublisherMetrics::drop(const Stream& of, DropReason reason, std::uint64_t count) {
  collector_.add(collector_.series(Metric::DroppedEvents, {collector_.options().component, of.exchange,
                                                           of.type, of.symbol, to_string(reason)}),
                 count);
}

void PublisherMetrics::count_redis_error(RedisErrorKind kind) {
  collector_.add(redis_errors_.at(static_cast<std::size_t>(kind)));
}

}  // namespace mdpipe::publisher

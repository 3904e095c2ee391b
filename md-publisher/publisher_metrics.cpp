#include "md-publisher/publisher_metrics.hpp"

#include <algorithm>

namespace mdpipe::publisher {

using metrics::Metric;
namespace error_type = metrics::error_type;

PublisherMetrics::PublisherMetrics(metrics::MetricsCollector& collector)
    : collector_(collector),
      redis_up_(collector.series(Metric::RedisUp, {collector.options().component})),
      buffer_bytes_(collector.series(Metric::RedisBufferBytes, {collector.options().source})) {}

void PublisherMetrics::committed(const Transaction& transaction, const std::vector<RefusedEntry>& refused,
                                 UnixNanos now) {
  auto next_refused = refused.begin();
  for (const Transaction::Entry& entry : transaction.entries()) {
    if (next_refused != refused.end() && next_refused->entry == &entry) {
      collector_.increment_error(error_type::kPublish);
      drop("redis_refused", 1);
      if (const auto suppressed = refused_entry_limit_.admit(steady_now())) {
        log::error(
            "Redis refused an event; its stream's key holds something else",
            {{"stream", entry.stream->name}, {"error", next_refused->error}, {"suppressed", *suppressed}});
      }
      ++next_refused;
      continue;
    }
    collector_.add(entry.stream->published);
    collector_.add(entry.stream->bytes, entry.bytes);
    collector_.observe(entry.stream->latency, std::max(now - entry.recv, std::chrono::nanoseconds(0)));
  }
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
      "Redis holds less of a source than it had confirmed: it was emptied, failed over or restored. What is "
      "lost can be had from a backup of Redis alone; the reader writes gap events",
      {{"source", source}, {"events", count}});
}

void PublisherMetrics::twin_refused(std::string_view source) {
  collector_.increment_error(error_type::kLink);
  log::error(
      "two readers of one name are alive; the one that started later is refused. Give each its own --source",
      {{"source", source}});
}

void PublisherMetrics::buffered(std::size_t bytes) {
  collector_.set(buffer_bytes_, static_cast<double>(bytes));
}

void PublisherMetrics::drop(std::string_view reason, std::uint64_t count) {
  collector_.add(
      collector_.series(Metric::DroppedEvents, {collector_.options().component, "", "", "", reason}), count);
}

}  // namespace mdpipe::publisher

#pragma once
// What md-publisher counts; each notable thing has one function that counts it and logs it at most once a
// second.
#include <array>
#include <chrono>
#include <string>
#include <string_view>

#include "libshared/log/log.hpp"
#include "libshared/metrics/collector.hpp"
#include "libshared/metrics/drop_reason.hpp"
#include "md-publisher/redis/redis_error.hpp"
#include "md-publisher/transaction/outcome.hpp"
#include "md-publisher/transaction/transaction.hpp"
#include "md-publisher/writer/event_writer.hpp"

namespace mdpipe::publisher {

class PublisherMetrics {
 public:
  // `redis_user` is named in messages that ask a person to change its rights.
  PublisherMetrics(metrics::MetricsCollector& collector, std::string redis_user);

  // The counts of a sealed transaction, noted before it is written: if its answer never comes, Redis's
  // cursors say later, to this run or the next, whether they are true.
  void sending(const Transaction& transaction);
  void decide_pending(const Cursors& cursors);
  void committed(const Transaction& transaction, const Outcome& outcome, UnixNanos now);
  void redis_up();
  void redis_lost(const Disconnect& disconnect);
  void redis_error(const RedisError& error, std::chrono::milliseconds retry);
  void removed(const std::vector<Removed>& removed);
  void maintained(const StreamMaintenance::Report& report);
  void unguarded(const RedisError& error);
  void batch_rejected(std::string_view why);
  void events_malformed(std::string_view source, std::uint64_t count);
  void reader_dropped(std::string_view source, std::uint64_t count);
  void redis_lost_data(std::string_view source, std::uint64_t count);
  void stream_lost(const RedisKey& key);
  void duplicate_reader(std::string_view source);
  void buffered(std::size_t bytes);

 private:
  void drop(const Stream& of, metrics::DropReason reason, std::uint64_t count);
  void entry_refused(const RefusedEntry& refused);
  void count_redis_error(RedisErrorKind kind);
  void memory(const RedisMemory& memory);

  metrics::MetricsCollector& collector_;
  std::string redis_user_;
  metrics::Series redis_up_, buffer_bytes_, memory_used_, memory_max_, stream_bytes_;
  std::array<metrics::Series, kRedisErrorKinds> redis_errors_;
  bool said_unguarded_ = false;
  bool said_evicts_ = false;
  log::RateLimit memory_limit_{std::chrono::minutes(1)};
  log::RateLimit lost_limit_, refused_entry_limit_, rejected_batch_limit_, malformed_limit_,
      lost_events_limit_, refused_limit_, removed_limit_;
};

}  // namespace mdpipe::publisher

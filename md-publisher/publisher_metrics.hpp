#pragma once
// What md-publisher counts; each notable thing has one function that counts it and logs it at most once a
// second.
#include <chrono>
#include <string>
#include <string_view>

#include "libshared/log/log.hpp"
#include "libshared/metrics/collector.hpp"
#include "md-publisher/redis_writer.hpp"
#include "md-publisher/transaction.hpp"

namespace mdpipe::publisher {

class PublisherMetrics {
 public:
  explicit PublisherMetrics(metrics::MetricsCollector& collector);

  void committed(const Transaction& transaction, const std::vector<RefusedEntry>& refused, UnixNanos now);
  void redis_up();
  void redis_lost(const std::string& reason, std::chrono::milliseconds retry);
  void batch_refused(std::string_view why);
  void events_malformed(std::string_view source, std::uint64_t count);
  void reader_dropped(std::string_view source, std::uint64_t count);
  void redis_lost_data(std::string_view source, std::uint64_t count);
  void twin_refused(std::string_view source);
  void buffered(std::size_t bytes);

 private:
  void drop(std::string_view reason, std::uint64_t count);

  metrics::MetricsCollector& collector_;
  metrics::Series redis_up_, buffer_bytes_;
  log::RateLimit lost_limit_, refused_entry_limit_, refused_batch_limit_, malformed_limit_,
      lost_events_limit_;
};

}  // namespace mdpipe::publisher

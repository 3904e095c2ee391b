#pragma once
// Counts the losses of previous runs: events that a killed reader had received and that are neither in Redis
// nor on disk are counted as dropped, with the reason "crash". Of those it had numbered, the number in Redis
// is known once md-publisher has answered; until then the previous run's file is beside that of this run.
// Without a usable folder nothing is counted, and the log says so.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libshared/metrics/collector.hpp"
#include "ws-reader/outbox/outbox.hpp"
#include "ws-reader/outbox/sequence_log.hpp"
#include "ws-reader/outbox/spool.hpp"

namespace mdpipe::reader {

struct CrashAccountingOptions {
  std::string folder, source, exchange;
  std::string boot_id;
};

class CrashAccounting {
 public:
  // Call before anything is counted or numbered in this run. `collector` is borrowed and outlives this;
  // `spool` may be null.
  CrashAccounting(const CrashAccountingOptions& options, metrics::MetricsCollector& collector, Spool* spool,
                  std::uint64_t epoch);

  // What the outbox has to know of this run and the previous one.
  [[nodiscard]] OutboxRuns runs();
  // The previous run's events are in Redis up to `last_in_redis`, and no more of them will be.
  void on_predecessor_end(std::uint64_t last_in_redis);
  // Every event that was numbered is in Redis or in the spool.
  void mark_complete();

 private:
  void begin_log(const SequenceLogOptions& file, std::uint64_t epoch);
  void account_for(SequenceLog& ended, const SequenceLogOptions& file, Spool* spool);
  void count_lost(SequenceLog& ended, std::uint64_t last_in_redis);
  [[nodiscard]] SequenceLog::Expected expected(std::string_view exchange) const;
  [[nodiscard]] SequenceLog::LossCallback counter(const std::string& exchange, std::uint64_t& sum);

  metrics::MetricsCollector& collector_;
  std::string previous_path_;
  std::optional<SequenceLog> current_, previous_;
  std::uint64_t previous_spooled_ = 0;  // the spool's events reach Redis or are counted by another reason
};

}  // namespace mdpipe::reader

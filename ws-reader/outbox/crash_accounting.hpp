#pragma once
// Closes the books of earlier lives of the reader: what a killed one had read and left neither in Redis nor
// on disk is counted as dropped, with the reason "crash". What it had numbered is decided once md-publisher
// says how far it came; until then its file lies beside the present life's. Without a usable folder nothing
// is known, and the log says so.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libshared/metrics/collector.hpp"
#include "ws-reader/outbox/outbox.hpp"
#include "ws-reader/outbox/sequence_log.hpp"
#include "ws-reader/outbox/spool.hpp"

namespace mdpipe::reader {

struct ReckoningOptions {
  std::string folder, source, exchange;
  std::string boot_id;
};

class CrashAccounting {
 public:
  // Before anything is counted or numbered in this life. Borrows `collector` for its life; `spool` may be
  // null.
  CrashAccounting(const ReckoningOptions& options, metrics::MetricsCollector& collector, Spool* spool,
                  std::uint64_t epoch);

  // What the outbox has to know: where this life is noted, and which life comes before it.
  [[nodiscard]] OutboxLives lives();
  // The earlier life's events are in Redis up to `reached`, and no more of them will be.
  void settle(std::uint64_t reached);
  // Everything numbered is in Redis or in the spool.
  void complete();

 private:
  void close(SequenceLog& ended, const InFlightOptions& options, Spool* spool);
  void count_numbered(SequenceLog& ended, std::uint64_t reached);
  [[nodiscard]] SequenceLog::Expected expected(std::string_view exchange) const;
  [[nodiscard]] SequenceLog::Lost counter(const std::string& exchange, std::uint64_t& sum);

  metrics::MetricsCollector& collector_;
  std::string before_path_;
  std::optional<SequenceLog> present_, before_;
  std::uint64_t before_spooled_ = 0;  // what was in the spool comes to Redis or is counted otherwise
};

}  // namespace mdpipe::reader

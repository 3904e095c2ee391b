#pragma once
// Makes the options of ws-reader's parts, and some of the parts, from the configuration.
#include <cstdint>
#include <memory>
#include <optional>

#include "libshared/metrics/collector.hpp"
#include "libshared/process/lock_file.hpp"
#include "ws-reader/books/rest_fetcher.hpp"
#include "ws-reader/config.hpp"
#include "ws-reader/outbox/crash_accounting.hpp"
#include "ws-reader/outbox/input_brake.hpp"
#include "ws-reader/outbox/outbox.hpp"
#include "ws-reader/outbox/spool.hpp"
#include "ws-reader/source/session.hpp"
#include "ws-reader/venues/adapter.hpp"

namespace mdpipe::reader {

metrics::CollectorOptions collector_options(const Config& config);

// "<runtime-dir>/source-<name>.lock": each of two readers of one name would read the other's positions.
// Throws process::StartupError if another reader holds it.
process::LockFile lock_source(const Config& config);

// Null if nothing is spooled. Throws as Spool does.
std::unique_ptr<Spool> open_spool(const Config& config, metrics::MetricsCollector& collector);
// Without a spool the epoch is the time alone.
std::uint64_t begin_epoch(Spool* spool);
// Null if nothing is counted or sent.
std::unique_ptr<CrashAccounting> make_crash_accounting(const Config& config,
                                                       metrics::MetricsCollector& collector, Spool* spool,
                                                       std::uint64_t epoch);
OutboxLimits outbox_limits(const Config& config);
SpoolUse spool_use(const Config& config, Spool* spool);
InputBrake::Limits brake_limits(const Config& config);

SessionOptions session_options(const Config& config, const venues::Profile& profile);
RestOptions rest_options(const Config& config, const venues::Profile& profile);

}  // namespace mdpipe::reader

#pragma once
// What the parts of ws-reader are made with, from its configuration. Nothing here outlives the call; App owns
// the parts.
#include <cstdint>
#include <memory>
#include <optional>

#include "libshared/metrics/collector.hpp"
#include "libshared/process/lock_file.hpp"
#include "ws-reader/books/rest_fetcher.hpp"
#include "ws-reader/config.hpp"
#include "ws-reader/outbox/crash_accounting.hpp"
#include "ws-reader/outbox/outbox.hpp"
#include "ws-reader/outbox/spool.hpp"
#include "ws-reader/venues/adapter.hpp"

namespace mdpipe::reader {

metrics::CollectorOptions collector_options(const Config& config);

// "<runtime-dir>/source-<name>.lock": two readers of one name would take each other's positions for their
// own. Throws process::StartupError where another reader holds it.
process::LockFile lock_source(const Config& config);

// Null where nothing is to be kept on disk. Throws as Spool does.
std::unique_ptr<Spool> open_spool(const Config& config, metrics::MetricsCollector& collector);
// `spool` may be null; then only the clock tells this life from the one before.
std::uint64_t begin_epoch(Spool* spool);
// Null where nothing is counted or sent.
std::unique_ptr<CrashAccounting> make_crash_accounting(const Config& config,
                                                       metrics::MetricsCollector& collector, Spool* spool,
                                                       std::uint64_t epoch);
OutboxLimits outbox_limits(const Config& config);
SpoolUse spool_use(const Config& config, Spool* spool);

RestOptions rest_options(const Config& config, const venues::Profile& profile);

}  // namespace mdpipe::reader

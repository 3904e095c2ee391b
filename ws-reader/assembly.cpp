#include "ws-reader/assembly.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "libshared/process/boot_id.hpp"
#include "libshared/process/exit_code.hpp"

namespace mdpipe::reader {
namespace {

std::string rest_url(const Config& config, const venues::Profile& profile) {
  constexpr std::string_view kPlain = "ws://";
  if (!config.rest_url.empty()) return config.rest_url.substr(0, config.rest_url.find_last_not_of('/') + 1);
  // A simulator such as exchange-sim serves WebSocket and HTTP on one port, and its books differ from the
  // exchange's.
  if (config.url.compare(0, kPlain.size(), kPlain) == 0)
    return "http://" + config.url.substr(kPlain.size(), config.url.find('/', kPlain.size()) - kPlain.size());
  return std::string(profile.rest_url);
}

}  // namespace

metrics::CollectorOptions collector_options(const Config& config) {
  metrics::CollectorOptions options;
  options.component = "ws-reader";
  options.source = config.source;
  options.exchange = config.exchange;
  options.enabled = config.enable_metrics;
  if (!config.to_stdout)
    options.counter_file = metrics::counter_file_path(config.runtime_dir, options.component, config.source);
  return options;
}

process::LockFile lock_source(const Config& config) {
  std::error_code ec;
  std::filesystem::create_directories(config.runtime_dir, ec);  // LockFile reports an error
  auto lock = process::LockFile::acquire(fmt::format("{}/source-{}.lock", config.runtime_dir, config.source));
  if (!lock) throw process::StartupError{lock.error()};
  return std::move(lock.value());
}

OutboxLimits outbox_limits(const Config& config) {
  OutboxLimits limits;
  limits.retain_bytes_max = config.retain_bytes.count;
  limits.spool_bytes_max = config.spool_bytes.count;
  return limits;
}

std::unique_ptr<Spool> open_spool(const Config& config, metrics::MetricsCollector& collector) {
  if (config.to_stdout || config.spool == "off") return nullptr;
  return std::make_unique<Spool>(fmt::format("{}/spool-{}.db", config.state_dir, config.source), collector,
                                 moment_now());
}

std::uint64_t begin_epoch(Spool* spool) {
  const Moment now = moment_now();
  return spool == nullptr ? static_cast<std::uint64_t>(now.wall.count) : spool->begin_epoch(now);
}

std::unique_ptr<CrashAccounting> make_crash_accounting(const Config& config,
                                                       metrics::MetricsCollector& collector, Spool* spool,
                                                       std::uint64_t epoch) {
  if (config.to_stdout || !config.enable_metrics) return nullptr;
  const CrashAccountingOptions options{config.runtime_dir, config.source, config.exchange,
                                       process::read_boot_id()};
  return std::make_unique<CrashAccounting>(options, collector, spool, epoch);
}

SpoolUse spool_use(const Config& config, Spool* spool) {
  return {spool, config.spool == "always" ? SpoolMode::Always : SpoolMode::Late, config.spool_after};
}

// A file waits without a time limit, so none of it may be dropped; a small --retain-bytes leaves room for one
// frame.
InputBrake::Limits brake_limits(const Config& config) {
  InputBrake::Limits limits;
  constexpr std::size_t kRetainDivisor = 4;
  limits.bytes_max = std::min(limits.bytes_max, config.retain_bytes.count / kRetainDivisor);
  if (config.from_stdin) limits.pause_max.reset();
  return limits;
}

SessionOptions session_options(const Config& config, const venues::Profile& profile) {
  SessionOptions options;
  options.socket.url = config.url.empty() ? std::string(profile.url) : config.url;
  options.socket.ca_file = config.ca_file;
  options.socket.frame_bytes_max = config.frame_bytes_max.count;
  options.connect_timeout = config.connect_timeout;
  options.ping_interval = config.ping_interval;
  options.pong_timeout = config.pong_timeout;
  options.reconnect = {config.reconnect_delay_min, config.reconnect_delay_max};
  options.no_retry = config.no_retry;
  if (profile.paced_per_host)
    options.pacing_file = fmt::format("{}/pace-{}", config.runtime_dir, profile.exchange);
  return options;
}

RestOptions rest_options(const Config& config, const venues::Profile& profile) {
  RestOptions options;
  options.base_url = rest_url(config, profile);
  options.ca_file = config.ca_file;
  options.connect_timeout = config.connect_timeout;
  options.interval = profile.rest_interval;
  options.pacing_file = fmt::format("{}/pace-{}-rest", config.runtime_dir, profile.exchange);
  return options;
}

}  // namespace mdpipe::reader

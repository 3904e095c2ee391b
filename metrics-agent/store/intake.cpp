#include "metrics-agent/store/intake.hpp"

#include <fmt/format.h>

#include <utility>

#include "libshared/process/usage.hpp"
#include "mdpipe_version.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;

constexpr std::size_t kOwnSeriesMax = 1000;  // two for each component name

metrics::CollectorOptions own_options(std::string counter_file) {
  metrics::CollectorOptions options;
  options.component = kOwnComponent;
  options.source = kOwnComponent;
  options.series_max = kOwnSeriesMax;
  options.counter_file = std::move(counter_file);
  return options;
}

}  // namespace

Intake::Intake(SnapshotStore& store, std::string counter_file)
    : store_(store), own_(own_options(std::move(counter_file))) {
  own_.set(own_.series(Metric::BuildInfo, {kOwnComponent, kVersion, kCommit}), 1);
}

void Intake::on_message(std::string_view bytes, Moment now) {
  const auto delta = metrics::decode_delta(bytes);
  if (!delta) return refuse(delta.error().message, now);
  if (delta.value().component == kOwnComponent) return refuse("a component calls itself metrics-agent", now);
  count_and_log(delta.value(), store_.apply(delta.value(), now), now);
}

void Intake::tick(Moment now) {
  report_own(now);
  for (const SourceIndex index : store_.expire(now.steady)) {
    const Source& source = store_.sources()[index];
    log::warn("component silent", {{"component", source.component},
                                   {"source", source.name},
                                   {"last_seen", to_iso8601(source.last_seen.wall)}});
  }
}

void Intake::count_and_log(const metrics::Delta& delta, const Applied& applied, Moment now) {
  if (applied.verdict == Applied::Verdict::Refused) return refuse(applied.reason, now);
  // Interned with the first message, so that both exist as 0 before anything happens.
  const auto lost = own_.series(Metric::MetricDeltasLost, {delta.component});
  const auto refused = own_.series(Metric::MetricSeriesDropped, {delta.component});
  own_.add(lost, applied.messages_lost);
  own_.add(refused, applied.series_refused);
  log_source(delta, applied);
  if (applied.messages_lost > 0) {
    if (const auto suppressed = lost_limit_.admit(now.steady)) {
      log::warn("metric messages were lost; the next full message corrects the totals",
                {{"component", delta.component},
                 {"source", delta.source},
                 {"lost", applied.messages_lost},
                 {"suppressed", *suppressed}});
    }
  }
  if (applied.series_refused > 0) {
    if (const auto suppressed = series_limit_.admit(now.steady)) {
      log::warn("metric series refused", {{"component", delta.component},
                                          {"source", delta.source},
                                          {"refused", applied.series_refused},
                                          {"first", applied.reason},
                                          {"suppressed", *suppressed}});
    }
  }
}

void Intake::log_source(const metrics::Delta& delta, const Applied& applied) {
  const char* what = nullptr;
  if (delta.last && applied.verdict != Applied::Verdict::Stale) {
    what = "component stopped";
  } else if (applied.is_new) {
    what = "component found";
  } else if (applied.has_restarted) {
    what = "component restarted";
  } else if (applied.is_back) {
    what = "component is back";
  }
  if (what != nullptr) log::info(what, {{"component", delta.component}, {"source", delta.source}});
}

void Intake::refuse(std::string_view why, Moment now) {
  own_.increment_error(metrics::error_type::kLink);
  if (const auto suppressed = refused_limit_.admit(now.steady)) {
    log::warn("metrics message refused", {{"why", why}, {"suppressed", *suppressed}});
  }
}

void Intake::report_own(Moment now) {
  const process::Usage usage = process::read_usage();
  const auto set = [this](Metric metric, double value) {
    own_.set(own_.series(metric, {kOwnComponent, kOwnComponent}), value);
  };
  set(Metric::ProcessCpuSeconds, usage.cpu_seconds);
  set(Metric::ProcessResidentBytes, static_cast<double>(usage.resident_bytes));
  set(Metric::ProcessVirtualBytes, static_cast<double>(usage.virtual_bytes));
  set(Metric::ProcessOpenFds, static_cast<double>(usage.open_fds));
  set(Metric::ProcessMaxFds, static_cast<double>(usage.max_fds));
  set(Metric::ProcessStartTime, usage.start_time_seconds);
  // The agent holds the series of all components, so it reports their number as its own.
  own_.set(own_.series(Metric::MetricSeries, {kOwnComponent}), static_cast<double>(store_.cells().size()));
  own_.snapshot(!own_named_, own_delta_);
  own_named_ = true;
  store_.apply(own_delta_, now);
}

}  // namespace mdpipe::agent

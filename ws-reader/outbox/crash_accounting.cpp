#include "ws-reader/outbox/crash_accounting.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "libshared/log/log.hpp"
#include "libshared/metrics/drop_reason.hpp"

namespace mdpipe::reader {
namespace {

using metrics::Metric;

// Events dropped for these reasons had a number; events dropped for any other reason never get one.
bool is_after_numbering(std::string_view reason) {
  const auto* known = metrics::find_drop_reason(reason);
  return known != nullptr && known->is_loss();
}

}  // namespace

CrashAccounting::CrashAccounting(const CrashAccountingOptions& options, metrics::MetricsCollector& collector,
                                 Spool* spool, std::uint64_t epoch)
    : collector_(collector) {
  SequenceLogOptions file;
  file.path = fmt::format("{}/in-flight-{}", options.folder, options.source);
  file.boot_id = options.boot_id;
  file.source = options.source;
  file.exchange = options.exchange;
  SequenceLogOptions previous = file;
  previous_path_ = previous.path = file.path + ".before";
  previous_ = SequenceLog::load(previous);
  if (previous_ && previous_->has_counted_lost()) on_predecessor_end(0);
  if (auto ended = SequenceLog::load(file)) account_for(*ended, file, spool);
  if (previous_ && spool != nullptr) previous_spooled_ = spool->last_seq_of(previous_->epoch());
  begin_log(file, epoch);
}

void CrashAccounting::begin_log(const SequenceLogOptions& file, std::uint64_t epoch) {
  auto made = SequenceLog::create(file, epoch, collector_.origin(), expected(file.exchange));
  if (made) {
    current_.emplace(std::move(made.value()));
  } else {
    log::warn("cannot write the in-flight file: events lost in a crash will not be counted",
              {{"why", made.error().message}});
  }
}

// A run that ended while it waited for the end of the run before it has sent nothing.
void CrashAccounting::account_for(SequenceLog& ended, const SequenceLogOptions& file, Spool* spool) {
  if (ended.origin() == collector_.origin()) {
    std::uint64_t sum = 0;
    ended.report_unnumbered(expected(ended.exchange()), counter(ended.exchange(), sum));
  }
  if (ended.is_complete()) return;
  if (previous_ || std::rename(file.path.c_str(), previous_path_.c_str()) != 0)
    return count_lost(ended, spool == nullptr ? 0 : spool->last_seq_of(ended.epoch()));
  previous_ = std::move(ended);
}

OutboxRuns CrashAccounting::runs() {
  OutboxRuns runs;
  if (current_) runs.sequence_log = &*current_;
  if (previous_) runs.predecessor = Predecessor{previous_->epoch(), previous_->confirmed()};
  return runs;
}

void CrashAccounting::on_predecessor_end(std::uint64_t last_in_redis) {
  if (!previous_) return;
  count_lost(*previous_, std::max(last_in_redis, previous_spooled_));
  previous_.reset();
  (void)unlink(previous_path_.c_str());
}

void CrashAccounting::mark_complete() {
  if (current_) current_->mark_complete();
}

void CrashAccounting::count_lost(SequenceLog& ended, std::uint64_t last_in_redis) {
  std::uint64_t sum = 0;
  ended.report_lost(last_in_redis, counter(ended.exchange(), sum));
  if (sum == 0) return;
  log::error("the previous run ended with events that were neither in Redis nor on disk; they are lost",
             {{"events", sum}, {"reason", to_string(metrics::DropReason::Crash)}});
}

SequenceLog::LossCallback CrashAccounting::counter(const std::string& exchange, std::uint64_t& sum) {
  return
      [this, exchange, &sum](std::optional<EventType> channel, std::string_view symbol, std::uint64_t count) {
        collector_.add(collector_.series(Metric::DroppedEvents, {collector_.options().component, exchange,
                                                                 channel ? to_string(*channel) : "", symbol,
                                                                 to_string(metrics::DropReason::Crash)}),
                       count);
        sum += count;
      };
}

SequenceLog::Expected CrashAccounting::expected(std::string_view exchange) const {
  SequenceLog::Expected out;
  const auto entry = [&](std::string_view of, std::string_view channel, std::string_view symbol) {
    const auto type = parse_event_type(channel);
    return of == exchange && type && type != EventType::Feed ? &out[{*type, std::string(symbol)}] : nullptr;
  };
  collector_.for_each_total(Metric::MessagesReceived, [&](const auto& labels, std::uint64_t total) {
    if (std::uint64_t* sum = entry(labels[0], labels[1], labels[2])) *sum += total;
  });
  const auto subtract = [](std::uint64_t* sum, std::uint64_t total) {
    if (sum != nullptr) *sum -= std::min(total, *sum);
  };
  collector_.for_each_total(Metric::ConflatedEvents, [&](const auto& labels, std::uint64_t total) {
    subtract(entry(labels[0], labels[1], labels[2]), total);
  });
  collector_.for_each_total(Metric::DroppedEvents, [&](const auto& labels, std::uint64_t total) {
    if (!is_after_numbering(labels[4])) subtract(entry(labels[1], labels[2], labels[3]), total);
  });
  return out;
}

}  // namespace mdpipe::reader

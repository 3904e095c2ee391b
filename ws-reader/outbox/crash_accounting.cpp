#include "ws-reader/outbox/crash_accounting.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "libshared/log/log.hpp"
#include "ws-reader/reader_metrics.hpp"

namespace mdpipe::reader {
namespace {

using metrics::Metric;

// These are given to events that have a number; whatever else is dropped never gets one.
bool comes_after_numbering(std::string_view reason) {
  return reason == drop_reason::kRetention || reason == drop_reason::kSpoolDamaged ||
         reason == drop_reason::kCrash;
}

std::optional<EventType> channel_of(std::string_view name) {
  for (const EventType type : kMarketTypes) {
    if (to_string(type) == name) return type;
  }
  return std::nullopt;
}

}  // namespace

CrashAccounting::CrashAccounting(const ReckoningOptions& options, metrics::MetricsCollector& collector,
                                 Spool* spool, std::uint64_t epoch)
    : collector_(collector) {
  InFlightOptions file;
  file.path = fmt::format("{}/in-flight-{}", options.folder, options.source);
  file.boot_id = options.boot_id;
  file.source = options.source;
  file.exchange = options.exchange;
  InFlightOptions before = file;
  before_path_ = before.path = file.path + ".before";
  before_ = SequenceLog::load(before);
  if (before_ && before_->is_decided()) settle(0);
  if (auto ended = SequenceLog::load(file)) close(*ended, file, spool);
  if (before_ && spool != nullptr) before_spooled_ = spool->last_seq_of(before_->epoch());
  auto made = SequenceLog::create(file, epoch, collector.origin(), expected(options.exchange));
  if (made) {
    present_.emplace(std::move(made.value()));
  } else {
    log::warn("what is on its way is not noted; what a crash loses is counted nowhere",
              {{"why", made.error().message}});
  }
}

// An earlier life that waited for the one before it to be settled has sent nothing.
void CrashAccounting::close(SequenceLog& ended, const InFlightOptions& options, Spool* spool) {
  if (ended.origin() == collector_.origin()) {
    std::uint64_t sum = 0;
    ended.tell_unnumbered(expected(ended.exchange()), counter(ended.exchange(), sum));
  }
  if (ended.is_complete()) return;
  if (before_ || std::rename(options.path.c_str(), before_path_.c_str()) != 0)
    return count_numbered(ended, spool == nullptr ? 0 : spool->last_seq_of(ended.epoch()));
  before_ = std::move(ended);
}

OutboxLives CrashAccounting::lives() {
  OutboxLives lives;
  if (present_) lives.in_flight = &*present_;
  if (before_) lives.predecessor = Predecessor{before_->epoch(), before_->confirmed()};
  return lives;
}

void CrashAccounting::settle(std::uint64_t reached) {
  if (!before_) return;
  count_numbered(*before_, std::max(reached, before_spooled_));
  before_.reset();
  (void)unlink(before_path_.c_str());
}

void CrashAccounting::complete() {
  if (present_) present_->complete();
}

void CrashAccounting::count_numbered(SequenceLog& ended, std::uint64_t reached) {
  std::uint64_t sum = 0;
  ended.report_lost(reached, counter(ended.exchange(), sum));
  if (sum == 0) return;
  log::error("the reader ended before with events that were neither in Redis nor on disk; they are lost",
             {{"events", sum}, {"reason", drop_reason::kCrash}});
}

SequenceLog::Lost CrashAccounting::counter(const std::string& exchange, std::uint64_t& sum) {
  return
      [this, exchange, &sum](std::optional<EventType> channel, std::string_view symbol, std::uint64_t count) {
        collector_.add(collector_.series(Metric::DroppedEvents,
                                         {collector_.options().component, exchange,
                                          channel ? to_string(*channel) : "", symbol, drop_reason::kCrash}),
                       count);
        sum += count;
      };
}

SequenceLog::Expected CrashAccounting::expected(std::string_view exchange) const {
  SequenceLog::Expected out;
  const auto entry = [&](std::string_view of, std::string_view channel, std::string_view symbol) {
    const auto type = channel_of(channel);
    return of == exchange && type ? &out[{*type, std::string(symbol)}] : nullptr;
  };
  collector_.for_each_total(Metric::MessagesReceived, [&](const auto& labels, std::uint64_t total) {
    if (std::uint64_t* sum = entry(labels[0], labels[1], labels[2])) *sum += total;
  });
  const auto take = [](std::uint64_t* sum, std::uint64_t total) {
    if (sum != nullptr) *sum -= std::min(total, *sum);
  };
  collector_.for_each_total(Metric::ConflatedEvents, [&](const auto& labels, std::uint64_t total) {
    take(entry(labels[0], labels[1], labels[2]), total);
  });
  collector_.for_each_total(Metric::DroppedEvents, [&](const auto& labels, std::uint64_t total) {
    if (!comes_after_numbering(labels[4])) take(entry(labels[1], labels[2], labels[3]), total);
  });
  return out;
}

}  // namespace mdpipe::reader

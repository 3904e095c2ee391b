#pragma once
// Every reason for which an event that was read is not in Redis: the values of the label `reason` of
// collector_dropped_events_total. tests/unit/metrics/drop_reason_test.cpp compares the list with the alert
// rules, the dashboards and the tables in docs/.
#include <array>
#include <cstddef>
#include <string_view>

namespace mdpipe::metrics {

enum class DropReason {
  Retention,
  Crash,
  SpoolDamaged,
  RedisRefused,
  Malformed,
  BeforeSnapshot,
  StaleDelta,
  StaleSnapshot,
  BookGap,
  CrossedBook,
  WrongMidPrice,
  BookNumber,
  BookBuffer,
};

// What consumers miss.
enum class DropEffect {
  Loss,          // The event had its number in the outbox and never reached Redis. An alert fires.
  BookGap,       // Left out on purpose before it had a number: its book is in a gap until the next snapshot.
  SnapshotHasIt  // Left out on purpose before it had a number: nothing, a snapshot says the same.
};

struct DropReasonInfo {
  DropReason reason;
  std::string_view name;
  DropEffect effect;
  std::string_view help;

  [[nodiscard]] constexpr bool is_loss() const { return effect == DropEffect::Loss; }
};

// In the order of DropReason.
inline constexpr std::array kDropReasons = {
    DropReasonInfo{DropReason::Retention, "retention", DropEffect::Loss, "memory and spool were full"},
    DropReasonInfo{DropReason::Crash, "crash", DropEffect::Loss,
                   "the events were only in the memory of a reader that crashed or was killed"},
    DropReasonInfo{DropReason::SpoolDamaged, "spool_damaged", DropEffect::Loss,
                   "a file or a row of the spool cannot be read"},
    DropReasonInfo{DropReason::RedisRefused, "redis_refused", DropEffect::Loss,
                   "the key of the stream was replaced by another type while md-publisher was writing to it"},
    DropReasonInfo{DropReason::Malformed, "malformed", DropEffect::Loss,
                   "md-publisher received a batch that it cannot decode"},
    DropReasonInfo{DropReason::BeforeSnapshot, "before_snapshot", DropEffect::SnapshotHasIt,
                   "a delta of a book that has no snapshot yet"},
    DropReasonInfo{DropReason::StaleDelta, "stale_delta", DropEffect::SnapshotHasIt,
                   "a delta that the snapshot already contains, or a repeated one"},
    DropReasonInfo{DropReason::StaleSnapshot, "stale_snapshot", DropEffect::SnapshotHasIt,
                   "a fetched book that is older than the waiting deltas, or no longer needed"},
    DropReasonInfo{DropReason::BookGap, "book_gap", DropEffect::BookGap,
                   "a delta of a book that is known to be wrong"},
    DropReasonInfo{DropReason::CrossedBook, "crossed_book", DropEffect::BookGap,
                   "an event that would have crossed the book"},
    DropReasonInfo{DropReason::WrongMidPrice, "wrong_mid_price", DropEffect::BookGap,
                   "a delta after which the book disagrees with the exchange's own mid price"},
    DropReasonInfo{
        DropReason::BookNumber, "book_number", DropEffect::BookGap,
        "an event with a price that has more than 18 decimal places, or with a price and size that "
        "are together longer than 62 characters"},
    DropReasonInfo{DropReason::BookBuffer, "book_buffer", DropEffect::BookGap,
                   "deltas that waited for a snapshot that did not arrive"},
};

constexpr const DropReasonInfo& info(DropReason reason) {
  return kDropReasons[static_cast<std::size_t>(reason)];
}

constexpr std::string_view to_string(DropReason reason) { return info(reason).name; }

// Null if this version does not know the name.
constexpr const DropReasonInfo* find_drop_reason(std::string_view name) {
  for (const DropReasonInfo& entry : kDropReasons) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

}  // namespace mdpipe::metrics

#include "libshared/metrics/pending_counts.hpp"

#include <algorithm>
#include <iterator>

#include "libshared/metrics/persistent_memory.hpp"
#include "libshared/metrics/series.hpp"

namespace mdpipe::metrics {
namespace {

// Of Head::state. Any other value, as in a damaged file, means Idle.
constexpr std::uint64_t kIdle = 0;
constexpr std::uint64_t kSealed = 1;
constexpr std::uint64_t kCommitted = 2;  // decided; being applied

}  // namespace

PendingCounts::PendingCounts(PendingRegion region) : region_(region) {
  if (region_.head == nullptr) return;
  PendingRegion::Head& noted = *region_.head;
  noted.count = std::min<std::uint64_t>(noted.count, region_.entries_max);
  noted.source_chars = std::min<std::uint32_t>(noted.source_chars, sizeof noted.source);
  if (noted.state == kCommitted) apply_noted();
  if (noted.state != kSealed) set_state(kIdle);
}

void PendingCounts::begin() {
  set_state(kIdle);
  targets_.clear();
  ++round_;
}

void PendingCounts::add(Series series, std::uint64_t count) {
  if (series.total_ == nullptr) return;
  if (series.id_ >= places_.size()) places_.resize(series.id_ + 1);
  Place& place = places_[series.id_];
  if (place.round != round_) {
    place = {round_, targets_.size()};
    targets_.push_back({series.total_, *series.total_});
  }
  targets_[place.index].after += count;
}

// Counts beyond the region's size still take effect, as long as this process runs.
void PendingCounts::seal(const PendingMark& mark) {
  PendingRegion::Head& noted = head();
  const std::size_t count = std::min(targets_.size(), region_.entries_max);
  for (std::size_t i = 0; i < count; ++i) note(i);
  noted.count = count;
  noted.epoch = mark.epoch;
  noted.seq = mark.seq;
  noted.source_chars = static_cast<std::uint32_t>(std::min(mark.source.size(), sizeof noted.source));
  std::copy_n(mark.source.begin(), noted.source_chars, std::begin(noted.source));  // may be none
  set_state(kSealed);
}

// A later run could not find a counter outside the mapped totals.
void PendingCounts::note(std::size_t index) {
  const auto begin = reinterpret_cast<std::uintptr_t>(region_.totals);
  const auto own = reinterpret_cast<std::uintptr_t>(targets_[index].total);
  const std::uint64_t place = own >= begin ? (own - begin) / sizeof(std::uint64_t) : region_.totals_count;
  region_.entries[index] = {place, targets_[index].after};
}

void PendingCounts::take_back(Series series, std::uint64_t count) {
  if (series.total_ == nullptr || series.id_ >= places_.size()) return;
  const Place& place = places_[series.id_];
  if (place.round != round_ || place.index >= targets_.size()) return;
  Target& target = targets_[place.index];
  target.after -= std::min(count, target.after - *target.total);
  if (place.index < region_.entries_max) note(place.index);
}

void PendingCounts::commit() {
  if (!is_open()) return;
  set_state(kCommitted);
  if (targets_.empty()) {
    apply_noted();
  } else {
    for (const Target& target : targets_) *target.total = target.after;
  }
  discard();
}

void PendingCounts::discard() {
  set_state(kIdle);
  targets_.clear();
}

// A counter never decreases: if the noted total is below it, the note is damaged.
void PendingCounts::apply_noted() {
  if (region_.head == nullptr) return;
  for (std::uint64_t i = 0; i < region_.head->count; ++i) {
    const PendingRegion::Entry& entry = region_.entries[i];
    if (entry.counter >= region_.totals_count) continue;
    std::uint64_t& total = region_.totals[entry.counter];
    total = std::max(total, entry.after);
  }
}

bool PendingCounts::is_open() { return head().state == kSealed; }

PendingMark PendingCounts::mark() {
  const PendingRegion::Head& noted = head();
  return {{noted.source, noted.source_chars}, noted.epoch, noted.seq};
}

void PendingCounts::set_state(std::uint64_t state) {
  in_this_order();
  *static_cast<volatile std::uint64_t*>(&head().state) = state;
  in_this_order();
}

}  // namespace mdpipe::metrics

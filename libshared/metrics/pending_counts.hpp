#pragma once
// Counts that depend on an answer: md-publisher's, from sending a transaction until Redis answers. They are
// noted before the transaction is sent, together with the cursor that the transaction sets, and take effect
// at once when it is known to be committed. The next run can decide it too: it asks Redis for the cursor. The
// notes are absolute totals, so that applying them twice changes nothing.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace mdpipe::metrics {

class Series;

// Identifies a set of pending counts in Redis: the transaction moves the source's cursor to this value.
struct PendingMark {
  std::string_view source;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
};

// The memory for the notes: a part of the counter file, or nothing.
struct PendingRegion {
  struct Head {
    std::uint64_t state;
    std::uint64_t count;
    std::uint64_t epoch, seq;
    std::uint32_t source_chars;
    char source[132];
  };
  struct Entry {
    std::uint64_t counter;  // its index among the totals
    std::uint64_t after;    // its total including the pending counts
  };
  Head* head = nullptr;
  Entry* entries = nullptr;
  std::size_t entries_max = 0;
  std::uint64_t* totals = nullptr;
  std::size_t totals_count = 0;
};

class PendingCounts {
 public:
  PendingCounts() = default;
  // Completes a set that an earlier run had decided to apply. A set that it had only sent stays until
  // commit() or discard().
  explicit PendingCounts(PendingRegion region);

  // Begins a new set and discards an earlier one. Counters of a set are not changed elsewhere until it is
  // decided.
  void begin();
  void add(Series series, std::uint64_t count);
  // The set is complete: the transaction that it describes may be sent.
  void seal(const PendingMark& mark);
  // Subtracts from what was added in this set, because a part of it failed. Between seal() and commit().
  void take_back(Series series, std::uint64_t count);

  void commit();
  void discard();

  // Sealed and not decided, by this run or an earlier one.
  [[nodiscard]] bool is_open();
  [[nodiscard]] PendingMark mark();

 private:
  struct Target {
    std::uint64_t* total;
    std::uint64_t after;
  };
  struct Place {
    std::uint64_t round = 0;
    std::size_t index = 0;
  };

  PendingRegion::Head& head() { return region_.head != nullptr ? *region_.head : own_head_; }
  void note(std::size_t index);
  void apply_noted();
  void set_state(std::uint64_t state);

  PendingRegion region_;
  PendingRegion::Head own_head_{};  // if there is no region
  std::vector<Target> targets_;     // this run's set; empty if the open set is an earlier run's
  std::vector<Place> places_;       // by series: the index in the set
  std::uint64_t round_ = 0;
};

}  // namespace mdpipe::metrics

#pragma once
// Counts whose fate somebody else decides: md-publisher's, between the transaction it sends and Redis's
// answer. They are noted, with the cursor that the transaction sets, before it is sent, and take effect at
// once when it is known to be committed, also by the next life, which asks Redis for the cursor. Totals are
// noted absolute, so that applying them twice changes nothing.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace mdpipe::metrics {

class Series;

// What a set of pending counts is known by in Redis: the source's cursor reaches it with the transaction.
struct PendingMark {
  std::string_view source;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
};

// Memory that the counts are noted in: a part of the counter file, or nothing.
struct PendingRegion {
  struct Head {
    std::uint64_t state;
    std::uint64_t count;
    std::uint64_t epoch, seq;
    std::uint32_t source_chars;
    char source[132];
  };
  struct Entry {
    std::uint64_t counter;  // its place among the totals
    std::uint64_t after;    // its total with the pending counts
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
  // Finishes what an earlier life had decided to apply; what it had sent stays until commit() or discard().
  explicit PendingCounts(PendingRegion region);

  // A new set; an earlier one is discarded. Counters in a set are counted nowhere else until it is decided.
  void begin();
  void add(Series series, std::uint64_t count);
  // The set is complete: what it describes may be sent.
  void seal(const PendingMark& mark);
  // Less than was added in this set, as a part of it came to nothing. Between seal() and commit().
  void take_back(Series series, std::uint64_t count);

  void commit();
  void discard();

  // Sealed and not decided, by this life or an earlier one.
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
  PendingRegion::Head own_head_{};  // where there is no region
  std::vector<Target> targets_;     // this life's set; empty where the open one is an earlier life's
  std::vector<Place> places_;       // by series: where in the set
  std::uint64_t round_ = 0;
};

}  // namespace mdpipe::metrics

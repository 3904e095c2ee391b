#pragma once
// One symbol's book, built from snapshots and deltas, to check whether it can be right (not crossed, and in
// agreement with the exchange's mid price) and to render it as a whole. Exact, bounded, and without heap
// allocation once it has grown. BookGuard decides which events belong together.
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "libshared/event/event.hpp"
#include "ws-reader/books/price_key.hpp"

namespace mdpipe::reader {

inline constexpr std::size_t kBookLevelsMax = 10'000;  // a side; the deepest snapshot on offer has 5,000

// True if the best bid is at or above the best ask. Only for a whole book, not for a delta.
bool is_crossed(const OrderBook& book);

// The bids or the asks. The worst level is first, so that a change near the best price moves few levels.
class BookSide {
 public:
  enum class Order { HighestFirst, LowestFirst };

  BookSide(Order order, std::size_t levels_max) : order_(order), levels_max_(levels_max) {}

  // Both return false if a number cannot be held exactly; only clear() may be called then.
  [[nodiscard]] bool replace(const Levels& levels);  // best first; anything else is slow
  [[nodiscard]] bool set(const Level& level);        // size 0 removes; unknown prices may be removed
  void clear();

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::optional<PriceKey> best_key() const;
  [[nodiscard]] std::optional<Level> best() const;  // views until the next change
  void append_best_first(std::vector<Level>& out) const;
  // Levels dropped because the side was full: always the worst ones.
  [[nodiscard]] std::uint64_t levels_cut() const { return levels_cut_; }

 private:
  static constexpr std::size_t kTextMax = 62;  // price and size together
  struct Entry {
    PriceKey rank;  // the better, the higher
    std::uint32_t slot;
  };
  struct Text {
    std::uint8_t price_chars = 0, size_chars = 0;
    std::array<char, kTextMax> chars{};
  };

  [[nodiscard]] std::optional<PriceKey> rank_of(Decimal price) const;
  [[nodiscard]] Level level_at(std::uint32_t slot) const;
  std::uint32_t take_slot();
  bool write(std::uint32_t slot, const Level& level);
  void remove(std::vector<Entry>::iterator at);

  Order order_;
  std::size_t levels_max_;
  std::vector<Entry> entries_;  // worst first
  std::vector<Text> texts_;     // by slot
  std::vector<std::uint32_t> free_slots_;
  std::uint32_t slots_used_ = 0;
  std::uint64_t levels_cut_ = 0;
};

class KeptBook {
 public:
  explicit KeptBook(std::size_t levels_max = kBookLevelsMax)
      : bids_(BookSide::Order::HighestFirst, levels_max), asks_(BookSide::Order::LowestFirst, levels_max) {}

  // A snapshot replaces the book, a delta changes it. False if a number cannot be held exactly; only clear()
  // or a snapshot may follow then.
  [[nodiscard]] bool apply(const OrderBook& event);
  void clear();

  [[nodiscard]] bool is_crossed() const;
  // True if `mid` is the middle of the best prices, rounded down to their tick as bitFlyer does, or if it
  // cannot be checked: a side or `mid` is empty. The tick is the finest power of ten in earlier calls.
  [[nodiscard]] bool mid_agrees(Decimal mid);
  [[nodiscard]] std::optional<Level> best_bid() const { return bids_.best(); }
  [[nodiscard]] std::optional<Level> best_ask() const { return asks_.best(); }
  // The whole book as a snapshot; its views are valid until the next call of a member that is not const.
  OrderBook levels();
  [[nodiscard]] std::uint64_t levels_cut() const { return bids_.levels_cut() + asks_.levels_cut(); }

 private:
  BookSide bids_, asks_;
  std::vector<Level> shown_bids_, shown_asks_;
  int decimals_ = 0;  // the most seen in a price that was checked
};

}  // namespace mdpipe::reader

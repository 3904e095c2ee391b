#pragma once
// One symbol's book, kept by price from snapshots and deltas, to know whether it can be right: whether it is
// crossed, whether the exchange's mid price agrees, and what the whole book looks like. Exact, bounded, and
// without memory from the heap once it has grown. It does not know which events belong together: that is
// BookGuard's part.
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "libshared/event/event.hpp"
#include "ws-reader/books/price_key.hpp"

namespace mdpipe::reader {

inline constexpr std::size_t kBookLevelsMax = 10'000;  // a side; the deepest snapshot on offer has 5,000

// True where the best bid is at or above the best ask. For a whole book: of a delta it says nothing.
bool is_crossed(const OrderBook& book);

// The bids or the asks. Levels lie worst first, so that changes near the best price move little.
class BookSide {
 public:
  enum class Order { HighestFirst, LowestFirst };

  BookSide(Order order, std::size_t levels_max) : order_(order), levels_max_(levels_max) {}

  // Both return false where a number cannot be held; the side is then good for nothing but clear().
  [[nodiscard]] bool replace(const Levels& levels);  // best first; anything else is slow
  [[nodiscard]] bool set(const Level& level);        // size 0 removes; unknown prices may be removed
  void clear();

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::optional<PriceKey> best_key() const;
  [[nodiscard]] std::optional<Level> best() const;  // views until the next change
  void append_best_first(std::vector<Level>& out) const;
  // Levels given up because the side was full: always the worst ones.
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

  // A snapshot replaces the book, a delta changes it. False where a number of it cannot be held exactly; the
  // book is then good for nothing but clear() or a snapshot.
  [[nodiscard]] bool apply(const OrderBook& event);
  void clear();

  [[nodiscard]] bool is_crossed() const;
  // True where `mid` is the middle of the best prices, rounded down to their tick as bitFlyer does, or cannot
  // be checked: a side or `mid` is empty. The tick is taken for the finest power of ten seen in these calls.
  [[nodiscard]] bool mid_agrees(Decimal mid);
  [[nodiscard]] std::optional<Level> best_bid() const { return bids_.best(); }
  [[nodiscard]] std::optional<Level> best_ask() const { return asks_.best(); }
  // The whole book as a snapshot; its views are valid until the next call of any member that is not const.
  OrderBook levels();
  [[nodiscard]] std::uint64_t levels_cut() const { return bids_.levels_cut() + asks_.levels_cut(); }

 private:
  BookSide bids_, asks_;
  std::vector<Level> shown_bids_, shown_asks_;
  int decimals_ = 0;  // the most seen in a price that was checked
};

}  // namespace mdpipe::reader

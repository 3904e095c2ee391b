#include "ws-reader/books/order_book.hpp"

#include <gmock/gmock.h>

#include <functional>
#include <map>
#include <random>

#include "libshared/event/decimal.hpp"
#include "tests/unit/ws-reader/books/book_support.hpp"

namespace mdpipe::reader {
namespace {

using testing::ElementsAre;
using testing::Pair;

Pairs owned(const Levels& levels) {
  Pairs pairs;
  for (const Level& level : levels) pairs.emplace_back(level.price, level.size);
  return pairs;
}

const OrderBook& body(const Event& event) { return std::get<OrderBook>(event.body); }

bool apply(KeptBook& book, const OwnedBook& change) { return book.apply(body(change.event())); }

TEST(PriceKey, equal_values_have_equal_keys_however_they_are_written) {
  EXPECT_EQ(price_key("0.509301"), price_key("0.50930100"));
  EXPECT_EQ(price_key("1e-08"), price_key("0.00000001"));
  EXPECT_EQ(price_key("1.5E+3"), price_key("1500.0"));
  EXPECT_EQ(price_key("-0"), price_key("0.000"));
  EXPECT_EQ(price_key("0e999999999999999999999"), price_key("0"));
  EXPECT_EQ(price_key("10.5"), PriceKey{10'500'000'000'000'000'000U});
}

// An exponent takes the general way, digits alone the quick one.
TEST(PriceKey, is_the_same_both_ways) {
  for (const std::string digits : {"0", "7", "12.5", "0.050", "100", "999999999999999999",
                                   "0.1234567890123456", "12345678901234567", "1.00000000", "-3.25"})
    EXPECT_EQ(price_key(digits), price_key(digits + "e0")) << digits;
}

TEST(PriceKey, the_last_digit_counts) {
  EXPECT_LT(*price_key("13634496.123456789012345678"), *price_key("13634496.123456789012345679"));
  EXPECT_LT(*price_key("-2"), *price_key("-1.999999999999999999"));
  EXPECT_EQ(*price_key("0.000000000000000001"), PriceKey{1});
}

TEST(PriceKey, what_cannot_be_held_is_refused_not_rounded) {
  for (const char* text : {"0.0000000000000000001", "1e-19", "99999999999999999999", "1e40", "1e99999999999",
                           "1e-99999999999", "1.0000000000000000000000000000001"})
    EXPECT_EQ(price_key(text), std::nullopt) << text;
}

TEST(KeptBook, a_delta_sets_and_removes_levels_by_price) {
  KeptBook book;
  ASSERT_TRUE(apply(book, snapshot({{"10.0", "1"}, {"9.0", "2"}}, {{"11.0", "3"}, {"12.0", "4"}})));
  ASSERT_TRUE(apply(book, delta({{"10", "0"}, {"9", "5.50"}, {"8", "0"}}, {{"10.5", "7"}})));
  const OrderBook shown = book.levels();
  EXPECT_EQ(shown.kind, BookKind::Snapshot);
  EXPECT_THAT(owned(shown.bids), ElementsAre(Pair("9", "5.50")));
  EXPECT_THAT(owned(shown.asks), ElementsAre(Pair("10.5", "7"), Pair("11.0", "3"), Pair("12.0", "4")));
  EXPECT_EQ(book.best_bid()->price, "9");
  EXPECT_EQ(book.best_ask()->size, "7");
}

TEST(KeptBook, a_snapshot_replaces_everything) {
  KeptBook book;
  ASSERT_TRUE(apply(book, snapshot({{"10", "1"}}, {{"11", "1"}})));
  ASSERT_TRUE(apply(book, snapshot({}, {{"5", "1"}})));
  EXPECT_EQ(book.best_bid(), std::nullopt);
  EXPECT_EQ(book.best_ask()->price, "5");
}

TEST(KeptBook, of_equal_prices_in_a_snapshot_the_last_one_counts) {
  KeptBook book;
  ASSERT_TRUE(apply(
      book, snapshot({{"10", "1"}, {"10.0", "2"}, {"9", "3"}, {"9", "0"}}, {{"11", "0"}, {"11", "4"}})));
  const OrderBook shown = book.levels();
  EXPECT_THAT(owned(shown.bids), ElementsAre(Pair("10.0", "2")));
  EXPECT_THAT(owned(shown.asks), ElementsAre(Pair("11", "4")));
}

TEST(KeptBook, is_crossed_where_the_best_prices_meet) {
  KeptBook book;
  ASSERT_TRUE(apply(book, snapshot({{"10", "1"}}, {{"10.1", "1"}})));
  EXPECT_FALSE(book.is_crossed());
  ASSERT_TRUE(apply(book, delta({{"10.10", "1"}}, {})));
  EXPECT_TRUE(book.is_crossed());
  ASSERT_TRUE(apply(book, delta({}, {{"10.1", "0"}})));
  EXPECT_FALSE(book.is_crossed()) << "a side is empty";
}

TEST(PriceKey, decimals_are_those_of_the_value) {
  for (const auto& [text, decimals] : std::vector<std::pair<const char*, int>>{{"0.250", 2},
                                                                               {"100.0", 0},
                                                                               {"100", 0},
                                                                               {"0", 0},
                                                                               {"0.0", 0},
                                                                               {"-0.5", 1},
                                                                               {"1e-08", 8},
                                                                               {"12.5e-1", 2},
                                                                               {"12.50E+1", 0},
                                                                               {"1200e-3", 1},
                                                                               {"1200e-2", 0},
                                                                               {"1e-99999999999", 18}})
    EXPECT_EQ(decimals_of(text), decimals) << text;
  EXPECT_EQ(unit_of(2), price_key("0.01"));
}

// As in recordings of bitFlyer: 173.03 and 173.10 give 173.06.
TEST(KeptBook, the_mid_price_is_the_middle_rounded_down_to_the_tick) {
  KeptBook book;
  ASSERT_TRUE(apply(book, snapshot({{"173.03", "1"}}, {{"173.10", "1"}})));
  EXPECT_TRUE(book.mid_agrees("173.06"));
  for (const char* wrong : {"173.07", "173.05", "173.0", "1e40"})
    EXPECT_FALSE(book.mid_agrees(wrong)) << wrong;
  ASSERT_TRUE(apply(book, delta({}, {{"173.1", "0"}, {"173.05", "1"}})));
  EXPECT_TRUE(book.mid_agrees("173.04"));
  EXPECT_FALSE(book.mid_agrees("173.03"));
  ASSERT_TRUE(apply(book, snapshot({{"173.0", "1"}}, {{"173.1", "1"}})));
  EXPECT_TRUE(book.mid_agrees("173.05"));
  EXPECT_FALSE(book.mid_agrees("173.0")) << "the tick is known to be finer than these prices";
}

TEST(KeptBook, the_mid_price_may_be_exact) {
  KeptBook book;
  ASSERT_TRUE(apply(book, snapshot({{"0.01353", "1"}}, {{"0.01370", "1"}})));
  EXPECT_TRUE(book.mid_agrees("0.013615"));
  EXPECT_TRUE(book.mid_agrees("1.3615e-2"));
  EXPECT_FALSE(book.mid_agrees("0.01361500000001"));
  EXPECT_TRUE(book.mid_agrees("")) << "there is nothing to check";
  ASSERT_TRUE(apply(book, delta({{"0.01353", "0"}}, {})));
  EXPECT_TRUE(book.mid_agrees("7")) << "a side is empty";
}

TEST(KeptBook, a_number_that_cannot_be_held_is_refused) {
  KeptBook book;
  EXPECT_FALSE(apply(book, snapshot({{"1e-30", "1"}}, {})));
  EXPECT_FALSE(apply(book, delta({}, {{"1", std::string(63, '1')}})));
  EXPECT_TRUE(apply(book, snapshot({{"1", "1"}}, {})));
}

TEST(KeptBook, beyond_its_limit_the_worst_levels_go) {
  KeptBook book(2);
  ASSERT_TRUE(apply(book, snapshot({{"10", "1"}, {"9", "1"}, {"8", "1"}}, {{"11", "1"}, {"12", "1"}})));
  EXPECT_EQ(book.levels_cut(), 1U);
  ASSERT_TRUE(apply(book, delta({}, {{"13", "1"}, {"10.5", "1"}})));
  EXPECT_EQ(book.levels_cut(), 3U);
  const OrderBook shown = book.levels();
  EXPECT_THAT(owned(shown.bids), ElementsAre(Pair("10", "1"), Pair("9", "1")));
  EXPECT_THAT(owned(shown.asks), ElementsAre(Pair("10.5", "1"), Pair("11", "1")));
}

// Goal: the kept book is the book. Method: random snapshots and deltas with prices in many spellings, beside
// a std::map that is ordered by compare_decimals.
struct Reference {
  struct Less {
    bool operator()(const std::string& a, const std::string& b) const { return compare_decimals(a, b) < 0; }
  };
  std::map<std::string, std::string, Less> levels;

  void set(const std::string& price, const std::string& size) {
    levels.erase(price);
    if (!is_zero(size)) levels.emplace(price, size);
  }
  [[nodiscard]] Pairs best_first(bool highest) const {
    Pairs pairs(levels.begin(), levels.end());
    if (highest) std::reverse(pairs.begin(), pairs.end());
    return pairs;
  }
};

class RandomBook {
 public:
  explicit RandomBook(unsigned seed) : random_(seed) {}

  int below(int end) { return std::uniform_int_distribution<int>(0, end - 1)(random_); }

  // One of 40 prices, in one of several spellings.
  std::string price() {
    const int value = 1 + below(40);
    const std::string whole = std::to_string(value / 10);
    const std::string tenth = std::to_string(value % 10);
    switch (below(4)) {
      case 0:
        return whole + "." + tenth;
      case 1:
        return whole + "." + tenth + "000";
      case 2:
        return std::to_string(value) + "e-1";
      default:
        return std::to_string(value) + "00E-3";
    }
  }

  Pairs levels(bool is_snapshot, bool highest) {
    Pairs pairs;
    for (int i = below(is_snapshot ? 30 : 6); i > 0; --i)
      pairs.emplace_back(price(), below(3) == 0 ? "0.00" : std::to_string(1 + below(9)));
    // Best first as adapters have it, but now and then not.
    if (below(5) != 0) {
      std::stable_sort(pairs.begin(), pairs.end(), [highest](const auto& a, const auto& b) {
        const int order = compare_decimals(a.first, b.first);
        return highest ? order > 0 : order < 0;
      });
    }
    return pairs;
  }

 private:
  std::mt19937 random_;
};

TEST(KeptBook, equals_a_simple_book_after_any_changes) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    RandomBook random(seed);
    KeptBook book;
    Reference bids;
    Reference asks;
    for (int step = 0; step < 200; ++step) {
      const bool is_snapshot = random.below(10) == 0;
      const OwnedBook change{is_snapshot ? BookKind::Snapshot : BookKind::Delta,
                             random.levels(is_snapshot, true), random.levels(is_snapshot, false)};
      if (is_snapshot) bids.levels.clear();
      if (is_snapshot) asks.levels.clear();
      for (const auto& [price, size] : change.bids) bids.set(price, size);
      for (const auto& [price, size] : change.asks) asks.set(price, size);
      ASSERT_TRUE(apply(book, change));
      const OrderBook shown = book.levels();
      ASSERT_EQ(owned(shown.bids), bids.best_first(true)) << "seed " << seed << " step " << step;
      ASSERT_EQ(owned(shown.asks), asks.best_first(false)) << "seed " << seed << " step " << step;
      const bool crossed = !bids.levels.empty() && !asks.levels.empty() &&
                           compare_decimals(bids.levels.rbegin()->first, asks.levels.begin()->first) >= 0;
      ASSERT_EQ(book.is_crossed(), crossed);
      ASSERT_EQ(is_crossed(shown), crossed);
    }
  }
}

}  // namespace
}  // namespace mdpipe::reader

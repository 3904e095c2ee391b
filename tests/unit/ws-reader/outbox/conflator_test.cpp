#include "ws-reader/outbox/conflator.hpp"

#include <gtest/gtest.h>

#include "tests/unit/ws-reader/outbox/outbox_support.hpp"

namespace mdpipe::reader {
namespace {

using std::chrono::seconds;

struct ConflatorTest : testing::Test {
  Conflator conflator{{EventType::Ticker, EventType::OrderBook}, seconds(5)};
  std::vector<std::string> out;  // "symbol price" of what was released

  bool take(const Event& event, seconds age, bool expect_replaced = false) {
    bool replaced = false;
    const bool taken = conflator.hold(event, age, false, replaced);
    EXPECT_EQ(replaced, taken && expect_replaced);
    return taken;
  }
  void release(seconds age) {
    conflator.release(age, [this](const Event& event, bool is_kept_elsewhere) {
      if (is_kept_elsewhere) return out.push_back("whole book of " + std::string(event.symbol));
      std::string text(event.symbol);
      if (const auto* ticker_body = std::get_if<Ticker>(&event.body)) {
        text.append(" ").append(ticker_body->last);
      } else {
        const auto& book = std::get<OrderBook>(event.body);
        for (const Level& level : book.bids)
          text.append(" b").append(level.price).append("x").append(level.size);
        for (const Level& level : book.asks)
          text.append(" a").append(level.price).append("x").append(level.size);
      }
      out.push_back(text);
    });
  }
  static Event ticker_of(std::string_view symbol, std::string_view last) {
    Event event = ticker();
    event.symbol = symbol;
    event.body = Ticker{"1", "2", last, {}, {}, {}};
    return event;
  }
};

TEST_F(ConflatorTest, holds_nothing_while_redis_keeps_up) {
  EXPECT_FALSE(take(ticker_of("BTC", "1"), seconds(0)));
  EXPECT_FALSE(take(ticker_of("BTC", "1"), seconds(4)));
  EXPECT_EQ(conflator.held(), 0U);
}

TEST_F(ConflatorTest, holds_the_newest_of_each_symbol_while_redis_is_behind) {
  EXPECT_TRUE(take(ticker_of("BTC", "1"), seconds(5)));
  {
    const std::string gone_soon = "13634496.000000";  // the frame an event points into is reused
    EXPECT_TRUE(take(ticker_of("BTC", gone_soon), seconds(6), true));
  }
  EXPECT_TRUE(take(ticker_of("ETH", "3"), seconds(6)));
  EXPECT_EQ(conflator.held(), 2U);
  release(seconds(5));
  EXPECT_TRUE(out.empty()) << "still behind";
  release(seconds(1));
  EXPECT_EQ(out, (std::vector<std::string>{"BTC 13634496.000000", "ETH 3"}));
  EXPECT_EQ(conflator.held(), 0U);
  release(seconds(1));
  EXPECT_EQ(out.size(), 2U) << "handed out once";
  EXPECT_TRUE(take(ticker_of("BTC", "4"), seconds(5))) << "and begins anew";
}

TEST_F(ConflatorTest, keeps_a_whole_book_with_its_own_text) {
  Event event = ticker();
  {
    std::string frame = "100.5 0.25 101 7";
    const Level bids[] = {{std::string_view(frame).substr(0, 5), std::string_view(frame).substr(6, 4)}};
    const Level asks[] = {{std::string_view(frame).substr(11, 3), std::string_view(frame).substr(15)}};
    event.body = OrderBook{BookKind::Snapshot, {bids, 1}, {asks, 1}, 7};
    EXPECT_TRUE(take(event, seconds(9)));
    frame.assign(frame.size(), '#');
  }
  release(seconds(0));
  EXPECT_EQ(out, std::vector<std::string>{"BTC_JPY b100.5x0.25 a101x7"});
}

TEST_F(ConflatorTest, remembers_that_somebody_else_keeps_the_book) {
  Event delta = ticker();
  delta.body = OrderBook{BookKind::Delta, {}, {}, 7};
  bool replaced = true;
  EXPECT_TRUE(conflator.hold(delta, seconds(9), true, replaced));
  EXPECT_FALSE(replaced);
  EXPECT_TRUE(conflator.hold(delta, seconds(9), true, replaced));
  EXPECT_TRUE(replaced);
  release(seconds(0));
  EXPECT_EQ(out, std::vector<std::string>{"whole book of BTC_JPY"});
}

TEST_F(ConflatorTest, never_holds_trades_deltas_or_types_nobody_named) {
  EXPECT_FALSE(take(trade(), seconds(60)));
  Event delta = ticker();
  delta.body = OrderBook{BookKind::Delta, {}, {}, std::nullopt};
  EXPECT_FALSE(take(delta, seconds(60)));
  Conflator tickers({EventType::Ticker}, seconds(5));
  Event book = ticker();
  book.body = OrderBook{};
  bool replaced = false;
  EXPECT_FALSE(tickers.hold(book, seconds(60), false, replaced));
}

}  // namespace
}  // namespace mdpipe::reader

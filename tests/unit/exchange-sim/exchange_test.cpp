#include "tests/unit/exchange-sim/sim_support.hpp"
#include "tools/exchange-sim/known_symbols.hpp"
#include "tools/exchange-sim/pacer.hpp"

namespace mdpipe::sim {
namespace {

const std::vector<std::string> kGmoRequests = {
    R"({"command":"subscribe","channel":"trades","symbol":"BTC_JPY"})",
    R"({"command":"subscribe","channel":"orderbooks","symbol":"BTC_JPY"})",
    R"({"command":"subscribe","channel":"ticker","symbol":"ETH"})",
};

TEST(Exchange, the_same_seed_gives_the_same_frames) {
  EXPECT_EQ(frames_of(config_for("gmo"), kGmoRequests, 500), frames_of(config_for("gmo"), kGmoRequests, 500));
}

TEST(Exchange, another_seed_gives_other_frames) {
  EXPECT_NE(frames_of(config_for("gmo", 1), kGmoRequests, 50),
            frames_of(config_for("gmo", 2), kGmoRequests, 50));
}

TEST(Exchange, nothing_is_wanted_before_a_subscription) {
  Exchange exchange(config_for("gmo"));
  EXPECT_FALSE(exchange.is_wanted());
  EXPECT_TRUE(exchange.next(UnixNanos{1}).empty());
}

TEST(Exchange, trades_go_on_unwatched_only_where_asked) {
  for (const bool unwatched : {false, true}) {
    ExchangeOptions config = config_for("gmo");
    config.runs_unwatched = unwatched;
    Exchange exchange(config);
    Session session;
    exchange.venue().on_text(session, kGmoRequests[0], at({}));
    exchange.set_streams({&session});
    exchange.set_streams({});
    EXPECT_EQ(exchange.is_wanted(), unwatched);
  }
}

TEST(Market, book_never_crosses_and_stays_within_its_levels) {
  Market market(spec_of("binance", "BTCUSDT"), 3, 50);
  for (int i = 0; i < 20'000; ++i) {
    market.advance();
    ASSERT_LT(market.best_bid(), market.best_ask());
    ASSERT_LE(market.bids().size(), 50U);
    ASSERT_LE(market.asks().size(), 50U);
    ASSERT_GE(market.bids().size(), 2U);
    ASSERT_GT(market.bids().rbegin()->first, 0);
  }
}

TEST(FrameText, decimals_are_exact) {
  EXPECT_EQ(decimal_text(13'633'748, {0, 1}), "13633748.0");
  EXPECT_EQ(decimal_text(3, {3, 0}), "0.003");
  EXPECT_EQ(decimal_text(0, {8, 1}), "0.0");
  EXPECT_EQ(decimal_text(2'535'190'000, {8, 8}), "25.35190000");
  EXPECT_EQ(decimal_text(3'000'000'170, {9, 9}), "3.000000170");
  EXPECT_EQ(decimal_text(110'400'000'000, {8, 0}), "1104");
}

TEST(FrameText, times_drop_trailing_zeros_only_where_the_exchange_does) {
  EXPECT_EQ(iso_millis(UnixNanos{1'790'134'285'100'000'000}), "2026-09-23T03:31:25.100Z");
  EXPECT_EQ(iso_ticks(UnixNanos{1'790'134'285'649'103'799}), "2026-09-23T03:31:25.6491037Z");
  EXPECT_EQ(iso_ticks(UnixNanos{1'790'134'285'100'000'000}), "2026-09-23T03:31:25.1Z");
  EXPECT_EQ(iso_ticks(UnixNanos{1'790'134'285'000'000'000}), "2026-09-23T03:31:25Z");
}

TEST(Pacer, keeps_the_rate_whatever_the_steps) {
  Pacer pacer(20'000, Burst{});
  std::size_t due = pacer.due(at({}), 100'000);
  for (int ms = 1; ms <= 1'000; ms += 3) due += pacer.due(at(std::chrono::milliseconds(ms)), 100'000);
  due += pacer.due(at(std::chrono::seconds(1)), 100'000);
  EXPECT_NEAR(static_cast<double>(due), 20'000, 1);
}

TEST(Pacer, what_is_beyond_a_second_is_late_and_what_is_beyond_the_turn_waits) {
  Pacer pacer(100, Burst{});
  EXPECT_EQ(pacer.due(at({}), 1'000), 0U);
  EXPECT_EQ(pacer.due(at(std::chrono::seconds(5)), 30), 30U);
  EXPECT_EQ(pacer.late(), 400U);
  EXPECT_EQ(pacer.due(at(std::chrono::seconds(5)), 1'000), 70U);
}

TEST(Pacer, bursts_come_at_the_end_of_each_period) {
  Pacer pacer(100, Burst{10, std::chrono::seconds(10), std::chrono::seconds(1)});
  std::size_t calm = 0;
  std::size_t burst = 0;
  for (int ms = 0; ms < 10'000; ms += 10)
    (ms <= 9'000 ? calm : burst) += pacer.due(at(std::chrono::milliseconds(ms)), 1'000);
  EXPECT_NEAR(static_cast<double>(calm), 900, 15);
  EXPECT_NEAR(static_cast<double>(burst), 1'000, 20);
}

}  // namespace
}  // namespace mdpipe::sim

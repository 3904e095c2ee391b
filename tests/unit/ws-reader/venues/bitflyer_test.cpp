#include <gmock/gmock.h>

#include "tests/unit/ws-reader/venues/frames.hpp"

namespace mdpipe::venues {
namespace {

using testing::ElementsAre;
using testing::Pair;

Outcome read(std::string_view frame) { return read_frame("bitflyer", frame); }
Outcome read_named(const std::string& name) { return read(frame_file("bitflyer", name)); }

std::string message(const std::string& channel, const std::string& body) {
  return R"({"jsonrpc":"2.0","method":"channelMessage","params":{"channel":")" + channel + R"(","message":)" +
         body + "}}";
}

UnixNanos at(const char* time) { return parse_iso8601(time).value(); }

TEST(Bitflyer, reads_a_ticker_with_the_digits_of_the_json_numbers) {
  for (const char* name : {"ticker", "ticker_message_first"}) {
    const Seen event = only_event(read_named(name));
    EXPECT_EQ(event.type, EventType::Ticker) << name;
    EXPECT_EQ(event.exchange, "bitflyer");
    EXPECT_EQ(event.symbol, "BTC_JPY") << name;
    EXPECT_EQ(event.ts, at("2024-03-01T09:08:07.1234567Z"));
    EXPECT_EQ(event.bid, "9100000.0");
    EXPECT_EQ(event.ask, "9100500.0");
    EXPECT_EQ(event.last, "9100250.0");
    EXPECT_EQ(event.volume, "1234.500000000000");
    EXPECT_EQ(event.high, "");
    EXPECT_EQ(event.low, "");
  }
}

TEST(Bitflyer, each_execution_is_a_trade) {
  const Outcome outcome = read_named("executions");
  ASSERT_EQ(outcome.result.kind, FrameKind::Events);
  ASSERT_EQ(outcome.events.size(), 3U);
  const Seen& first = outcome.events[0];
  EXPECT_EQ(first.symbol, "FX_BTC_JPY");
  EXPECT_EQ(first.side, Side::Sell);
  EXPECT_EQ(first.price, "9100000.0");
  EXPECT_EQ(first.size, "0.03");
  EXPECT_EQ(first.id, "100001");
  EXPECT_EQ(first.ts, at("2024-03-01T09:08:07.0873Z"));
  EXPECT_EQ(outcome.events[1].side, Side::Buy);
  EXPECT_EQ(outcome.events[1].size, "1e-08");
  EXPECT_EQ(outcome.events[2].side, Side::None) << "an Itayose auction has no taker";
  EXPECT_EQ(outcome.events[2].size, "2.50");
  EXPECT_EQ(outcome.events[2].ts, at("2024-03-01T09:08:08Z"));
}

TEST(Bitflyer, executions_may_come_before_their_channel_and_may_be_none) {
  EXPECT_EQ(only_event(read_named("executions_message_first")).price, "9100000.0");
  const Outcome empty = read_named("executions_empty");
  EXPECT_EQ(empty.result.kind, FrameKind::Events);
  EXPECT_TRUE(empty.events.empty());
}

TEST(Bitflyer, a_bad_second_execution_takes_the_first_with_it) {
  const std::string good =
      R"({"id":1,"side":"BUY","price":1.0,"size":2.0,"exec_date":"2024-03-01T09:08:07Z"})";
  const char* const bad[] = {R"({"id":2,"side":"BUY","price":"x","size":2.0})",
                             R"({"id":2,"side":"BUY","size":2.0})",
                             R"({"id":2,"side":"BOTH","price":1.0,"size":2.0})",
                             R"({"id":2.5,"side":"BUY","price":1.0,"size":2.0})",
                             R"({"id":2,"side":"BUY","price":1.0,"size":-2.0})",
                             R"({"id":2,"side":"BUY","price":1.0,"size":2.0,"exec_date":"now"})",
                             "7",
                             "null"};
  for (const char* execution : bad) {
    const Outcome outcome = read(message("lightning_executions_BTC_JPY", "[" + good + "," + execution + "]"));
    EXPECT_EQ(outcome.result.kind, FrameKind::Rejected) << execution;
    EXPECT_TRUE(outcome.events.empty()) << execution;
  }
  EXPECT_EQ(read(message("lightning_executions_BTC_JPY", "[" + good + "]")).events.size(), 1U);
}

TEST(Bitflyer, tells_snapshots_from_deltas) {
  const Seen snapshot = only_event(read_named("board_snapshot"));
  EXPECT_EQ(snapshot.kind, BookKind::Snapshot);
  EXPECT_EQ(snapshot.symbol, "FX_BTC_JPY");
  EXPECT_EQ(snapshot.ts, UnixNanos{}) << "book frames carry no time";
  EXPECT_EQ(snapshot.book_seq, std::nullopt);
  EXPECT_THAT(snapshot.bids, ElementsAre(Pair("9100000.0", "0.5"), Pair("9099999.0", "1.0")));
  const Seen delta = only_event(read_named("board"));
  EXPECT_EQ(delta.kind, BookKind::Delta);
  EXPECT_EQ(delta.symbol, "FX_BTC_JPY");
  EXPECT_EQ(delta.mid_price, "9100250.0");
  EXPECT_THAT(delta.bids, ElementsAre(Pair("9099000.0", "0.0")));
  EXPECT_THAT(delta.asks, ElementsAre(Pair("9100600.0", "0.0"), Pair("9101000.0", "0.12345678")));
}

TEST(Bitflyer, puts_levels_best_first) {
  const Seen event = only_event(read_named("board_snapshot_unsorted"));
  EXPECT_THAT(event.bids, ElementsAre(Pair("0.06", "2.0"), Pair("0.0599", "1.0")));
  EXPECT_THAT(event.asks, ElementsAre(Pair("0.061", "2.0"), Pair("0.0611", "1.0")));
}

TEST(Bitflyer, levels_of_equal_price_keep_their_order) {
  std::string bids;
  for (int i = 0; i < 40; ++i)
    bids += R"({"price":7.0,"size":)" + std::to_string(i) + R"(},{"price":)" + std::to_string(i + 10) +
            R"(,"size":1},)";
  bids.pop_back();
  const Seen event =
      only_event(read(message("lightning_board_X", R"({"bids":[)" + bids + R"(],"asks":[]})")));
  ASSERT_EQ(event.bids.size(), 80U);
  for (int i = 0; i < 40; ++i) {
    EXPECT_THAT(event.bids[static_cast<std::size_t>(40 + i)], Pair("7.0", std::to_string(i)));
  }
}

TEST(Bitflyer, skips_levels_of_market_orders) {
  const Seen event = only_event(read_named("board_market_order"));
  EXPECT_THAT(event.bids, ElementsAre(Pair("9099000.0", "1.5")));
  EXPECT_TRUE(event.asks.empty());
}

TEST(Bitflyer, a_board_may_come_before_its_channel) {
  const Seen event = only_event(read_named("board_message_first"));
  EXPECT_EQ(event.kind, BookKind::Delta);
  EXPECT_THAT(event.bids, ElementsAre(Pair("9099000.0", "1.5")));
}

TEST(Bitflyer, an_absent_side_of_a_delta_is_empty_even_after_a_full_book) {
  const auto adapter = make_adapter("bitflyer");
  read_frame(*adapter, frame_file("bitflyer", "board_snapshot"));
  const Seen event =
      only_event(read_frame(*adapter, message("lightning_board_X", R"({"bids":[{"price":1,"size":2}]})")));
  EXPECT_TRUE(event.asks.empty());
  EXPECT_EQ(read(message("lightning_board_snapshot_X", R"({"bids":[]})")).result.kind, FrameKind::Rejected);
}

TEST(Bitflyer, answers_name_their_request) {
  const Outcome ok = read_named("reply_result");
  EXPECT_EQ(ok.result.kind, FrameKind::Control);
  EXPECT_EQ(ok.result.request_id, 7U);
  const Outcome error = read_named("reply_error");
  EXPECT_EQ(error.result.kind, FrameKind::ApiError);
  EXPECT_EQ(error.result.request_id, 7U);
  const Outcome anonymous = read_named("reply_error_null_id");
  EXPECT_EQ(anonymous.result.kind, FrameKind::ApiError);
  EXPECT_EQ(anonymous.result.request_id, std::nullopt);
}

TEST(Bitflyer, reads_the_answer_to_a_batch) {
  EXPECT_EQ(read_named("reply_batch").result.kind, FrameKind::Control);
  EXPECT_EQ(read_named("reply_batch_error").result.kind, FrameKind::ApiError);
  EXPECT_EQ(read("[]").result.kind, FrameKind::Rejected);
  EXPECT_EQ(read("[1]").result.kind, FrameKind::Rejected);
  EXPECT_EQ(read("[" + frame_file("bitflyer", "board") + "]").result.kind, FrameKind::Rejected);
}

TEST(Bitflyer, unknown_channels_and_methods_are_rejected_as_such) {
  EXPECT_EQ(read_named("unknown_channel").result.rejection, Rejection::UnknownChannel);
  EXPECT_EQ(read(R"({"method":"shout","params":{}})").result.rejection, Rejection::UnknownChannel);
}

TEST(Bitflyer, rejects_a_message_of_the_wrong_form_for_its_channel) {
  EXPECT_EQ(read(message("lightning_executions_X", "{}")).result.kind, FrameKind::Rejected);
  EXPECT_EQ(read(message("lightning_board_X", "[]")).result.kind, FrameKind::Rejected);
  EXPECT_EQ(read(message("lightning_ticker_X", "[]")).result.kind, FrameKind::Rejected);
  EXPECT_EQ(read(message("lightning_ticker_X", "7")).result.kind, FrameKind::Rejected);
  EXPECT_EQ(read(message("lightning_ticker_", R"({"ltp":1})")).result.kind, FrameKind::Rejected)
      << "no product";
  EXPECT_EQ(read(R"({"method":"channelMessage","params":{"message":{"ltp":1}}})").result.kind,
            FrameKind::Rejected);
  EXPECT_EQ(read(R"({"method":"channelMessage","params":[]})").result.kind, FrameKind::Rejected);
  EXPECT_EQ(read(R"({"jsonrpc":"2.0"})").result.kind, FrameKind::Rejected);
}

TEST(Bitflyer, subscribes_one_channel_a_call_and_to_both_for_a_book) {
  const auto requests = make_adapter("bitflyer")
                            ->subscribe({{EventType::OrderBook, "FX_BTC_JPY"},
                                         {EventType::Trade, "BTC_JPY"},
                                         {EventType::Ticker, "BTC_JPY"}},
                                        5);
  ASSERT_EQ(requests.size(), 4U);
  EXPECT_EQ(
      requests[0].text,
      R"({"jsonrpc":"2.0","method":"subscribe","params":{"channel":"lightning_board_snapshot_FX_BTC_JPY"},"id":5})");
  EXPECT_EQ(
      requests[1].text,
      R"({"jsonrpc":"2.0","method":"subscribe","params":{"channel":"lightning_board_FX_BTC_JPY"},"id":6})");
  EXPECT_EQ(
      requests[2].text,
      R"({"jsonrpc":"2.0","method":"subscribe","params":{"channel":"lightning_executions_BTC_JPY"},"id":7})");
  EXPECT_EQ(
      requests[3].text,
      R"({"jsonrpc":"2.0","method":"subscribe","params":{"channel":"lightning_ticker_BTC_JPY"},"id":8})");
  EXPECT_EQ(requests[3].id, 8U);
}

TEST(Bitflyer, resubscribes_both_channels_of_a_book) {
  const auto requests = make_adapter("bitflyer")->resubscribe({EventType::OrderBook, "BTC_JPY"}, 5);
  ASSERT_EQ(requests.size(), 4U);
  EXPECT_EQ(
      requests[0].text,
      R"({"jsonrpc":"2.0","method":"unsubscribe","params":{"channel":"lightning_board_snapshot_BTC_JPY"},"id":5})");
  EXPECT_EQ(
      requests[1].text,
      R"({"jsonrpc":"2.0","method":"unsubscribe","params":{"channel":"lightning_board_BTC_JPY"},"id":6})");
  EXPECT_EQ(
      requests[2].text,
      R"({"jsonrpc":"2.0","method":"subscribe","params":{"channel":"lightning_board_snapshot_BTC_JPY"},"id":7})");
  EXPECT_EQ(
      requests[3].text,
      R"({"jsonrpc":"2.0","method":"subscribe","params":{"channel":"lightning_board_BTC_JPY"},"id":8})");
}

}  // namespace
}  // namespace mdpipe::venues

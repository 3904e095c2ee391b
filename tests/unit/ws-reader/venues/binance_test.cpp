#include <gmock/gmock.h>

#include "tests/unit/ws-reader/venues/frames.hpp"

namespace mdpipe::venues {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

Outcome read(std::string_view frame) { return read_frame("binance", frame); }
Outcome read_named(const std::string& name) { return read(frame_file("binance", name)); }

constexpr UnixNanos kEventTime{1'709'284'087'123'000'000};

TEST(Binance, reads_a_depth_update_bare_and_combined_in_any_order) {
  for (const char* name : {"depth", "depth_bare", "depth_data_first"}) {
    const Seen event = only_event(read_named(name));
    EXPECT_EQ(event.exchange, "binance");
    EXPECT_EQ(event.symbol, "ETHBTC") << name;
    EXPECT_EQ(event.kind, BookKind::Delta) << name;
    EXPECT_EQ(event.book_seq, 9007U) << name;
    EXPECT_EQ(event.first_book_seq, 9000U) << name;
    EXPECT_EQ(event.ts, kEventTime) << name;
    EXPECT_THAT(event.bids, ElementsAre(Pair("0.05210000", "0.00000000"), Pair("0.05200000", "12.50000000")))
        << name;
    EXPECT_THAT(event.asks, ElementsAre(Pair("0.05220000", "3.00000000"))) << name;
  }
}

TEST(Binance, an_empty_depth_update_still_carries_its_number) {
  const Seen event = only_event(read_named("depth_empty"));
  EXPECT_EQ(event.book_seq, 9007U);
  EXPECT_TRUE(event.bids.empty() && event.asks.empty());
}

TEST(Binance, the_stream_names_the_symbol_of_a_partial_book) {
  for (const char* name : {"partial_book", "partial_book_data_first"}) {
    const Seen event = only_event(read_named(name));
    EXPECT_EQ(event.symbol, "ETHBTC") << name;
    EXPECT_EQ(event.kind, BookKind::Snapshot) << name;
    EXPECT_EQ(event.book_seq, 9100U) << name;
    EXPECT_EQ(event.ts, UnixNanos{}) << name;
    EXPECT_EQ(event.bids.size(), 2U) << name;
    EXPECT_EQ(event.asks.size(), 2U) << name;
  }
  const Outcome bare = read_named("partial_book_bare");
  EXPECT_EQ(bare.result.kind, FrameKind::Rejected);
  EXPECT_THAT(std::string(bare.result.reason), HasSubstr("symbol"));
}

TEST(Binance, a_depth_update_whose_first_number_is_none_is_rejected) {
  const auto depth = [](const char* first) {
    return read(std::string(R"({"e":"depthUpdate","E":1709284087123,"s":"ETHBTC","U":)") + first +
                R"(,"u":9007,"b":[],"a":[]})");
  };
  EXPECT_EQ(only_event(depth("9007")).first_book_seq, 9007U);
  EXPECT_EQ(only_event(depth("null")).first_book_seq, std::nullopt);
  for (const char* first : {"9000.5", "-1", "true", "[]", "\"x\"", "99999999999999999999"})
    EXPECT_EQ(depth(first).result.kind, FrameKind::Rejected) << first;
}

TEST(Binance, reads_a_book_fetched_over_http) {
  const auto adapter = make_adapter("binance");
  EXPECT_EQ(adapter->book_snapshot_target("币USDT"), "/api/v3/depth?symbol=%E5%B8%81USDT&limit=1000");
  CollectingSink sink;
  const auto fetch = [&](std::string_view body) {
    return adapter->read_book_snapshot(body, "ETHBTC", kReceived, sink).kind;
  };
  EXPECT_EQ(fetch(R"({"lastUpdateId":9100,"bids":[["0.05","1"],["0.06","2"]],"asks":[["0.07","3"]]})"),
            FrameKind::Events);
  ASSERT_EQ(sink.events.size(), 1U);
  const Seen& book = sink.events.front();
  EXPECT_EQ(book.kind, BookKind::Snapshot);
  EXPECT_EQ(book.symbol, "ETHBTC");
  EXPECT_EQ(book.book_seq, 9100U);
  EXPECT_EQ(book.recv, kReceived);
  EXPECT_THAT(book.bids, ElementsAre(Pair("0.06", "2"), Pair("0.05", "1")));
  for (const char* body :
       {R"({"lastUpdateId":1,"bids":[]})", R"({"bids":[],"asks":[]})", "[]", "", "<html>",
        R"({"code":-1121,"msg":"Invalid symbol."})", R"({"lastUpdateId":1,"bids":[["x","1"]],"asks":[]})"})
    EXPECT_EQ(fetch(body), FrameKind::Rejected) << body;
  EXPECT_EQ(sink.events.size(), 1U);
}

TEST(Binance, the_best_price_is_a_ticker_without_a_time) {
  for (const char* name : {"best_price", "best_price_bare"}) {
    const Seen event = only_event(read_named(name));
    EXPECT_EQ(event.type, EventType::Ticker) << name;
    EXPECT_EQ(event.symbol, "ETHBTC") << name;
    EXPECT_EQ(event.bid, "0.05210000") << name;
    EXPECT_EQ(event.ask, "0.05220000") << name;
    EXPECT_EQ(event.last, "") << name;
    EXPECT_EQ(event.ts, UnixNanos{}) << name;
  }
}

TEST(Binance, reads_the_24_hour_ticker) {
  const Seen event = only_event(read_named("ticker"));
  EXPECT_EQ(event.bid, "0.05210000");
  EXPECT_EQ(event.ask, "0.05220000");
  EXPECT_EQ(event.last, "0.05215000");
  EXPECT_EQ(event.high, "0.05300000");
  EXPECT_EQ(event.low, "0.05100000");
  EXPECT_EQ(event.volume, "2345.67000000");
  EXPECT_EQ(event.ts, kEventTime);
}

TEST(Binance, the_taker_sold_where_the_buyer_is_the_maker) {
  for (const char* name : {"trade", "trade_bare"}) {
    const Seen event = only_event(read_named(name));
    EXPECT_EQ(event.type, EventType::Trade) << name;
    EXPECT_EQ(event.price, "0.05215000") << name;
    EXPECT_EQ(event.size, "0.40000000") << name;
    EXPECT_EQ(event.id, "555001") << name;
    EXPECT_EQ(event.side, Side::Sell) << name;
    EXPECT_EQ(event.ts, kEventTime) << name;
  }
}

TEST(Binance, order_ids_of_a_trade_are_no_levels) {
  const Seen event = only_event(read_named("trade_order_ids"));
  EXPECT_EQ(event.id, "555002");
  EXPECT_EQ(event.side, Side::Buy);
}

TEST(Binance, reads_an_aggregate_trade_with_microseconds) {
  const Seen event = only_event(read_named("aggregate_trade_us"));
  EXPECT_EQ(event.id, "777001");
  EXPECT_EQ(event.side, Side::Buy);
  EXPECT_EQ(event.size, "1.25000000");
  EXPECT_EQ(event.ts, UnixNanos{1'709'284'087'123'456'000});
}

TEST(Binance, a_symbol_may_be_any_utf8) {
  EXPECT_EQ(only_event(read_named("trade_utf8_symbol")).symbol, "币安BTC");
  const Seen book =
      only_event(read(R"({"stream":"币安btc@depth5","data":{"lastUpdateId":1,"bids":[],"asks":[]}})"));
  EXPECT_EQ(book.symbol, "币安BTC");
}

TEST(Binance, documented_streams_that_are_not_collected_are_other) {
  for (const char* name : {"kline", "mini_ticker", "mini_ticker_all", "average_price"}) {
    const Outcome outcome = read_named(name);
    EXPECT_EQ(outcome.result.kind, FrameKind::Other) << name;
    EXPECT_TRUE(outcome.events.empty()) << name;
  }
}

TEST(Binance, an_unknown_event_is_rejected_as_such) {
  EXPECT_EQ(read_named("unknown_event").result.rejection, Rejection::UnknownChannel);
  EXPECT_EQ(read(R"([{"e":"news"}])").result.rejection, Rejection::UnknownChannel);
  EXPECT_EQ(read(R"({"stream":"!x@arr","data":[{"e":"news"}]})").result.rejection, Rejection::UnknownChannel);
}

TEST(Binance, answers_name_their_request) {
  const Outcome ok = read_named("reply_result");
  EXPECT_EQ(ok.result.kind, FrameKind::Control);
  EXPECT_EQ(ok.result.request_id, 3U);
  EXPECT_FALSE(ok.result.reconnect);
  EXPECT_EQ(read_named("reply_list").result.request_id, 4U);
  const Outcome flat = read_named("reply_error_flat");
  EXPECT_EQ(flat.result.kind, FrameKind::ApiError);
  EXPECT_EQ(flat.result.request_id, std::nullopt);
  const Outcome nested = read_named("reply_error_nested");
  EXPECT_EQ(nested.result.kind, FrameKind::ApiError);
  EXPECT_EQ(nested.result.request_id, 5U);
}

TEST(Binance, an_announced_shutdown_asks_for_a_new_connection) {
  for (const char* name : {"shutdown", "shutdown_combined"}) {
    const Outcome outcome = read_named(name);
    EXPECT_EQ(outcome.result.kind, FrameKind::Control) << name;
    EXPECT_TRUE(outcome.result.reconnect) << name;
  }
}

TEST(Binance, members_beside_data_are_not_mixed_into_it) {
  const Seen event = only_event(read(
      R"({"s":"OTHER","b":[["9","9"]],"data":{"e":"depthUpdate","E":1,"s":"A","u":5,"b":[["1","2"]],"a":[]},"a":[["8","8"]]})"));
  EXPECT_EQ(event.symbol, "A");
  EXPECT_THAT(event.bids, ElementsAre(Pair("1", "2")));
  EXPECT_TRUE(event.asks.empty());
}

TEST(Binance, rejects_what_cannot_be_right) {
  const char* const frames[] = {
      R"({})",
      R"({"data":null})",
      R"({"data":7})",
      R"({"data":{}})",
      R"({"s":"A","b":"1","a":"2"})",                                          // a best price has u
      R"({"u":1,"b":"1","a":"2"})",                                            // no symbol
      R"({"u":1,"s":"A","b":"1"})",                                            // one side
      R"({"u":1,"s":"A","b":"1","a":"x"})",                                    // no decimal
      R"({"u":1,"s":"A","b":[["1","2"]],"a":[["1","2"]]})",                    // levels without an event type
      R"({"e":"depthUpdate","E":1,"s":"A","u":5,"b":[]})",                     // no asks
      R"({"e":"depthUpdate","E":1,"s":"A","b":[],"a":[]})",                    // no number
      R"({"e":"depthUpdate","E":1,"s":"A","u":-5,"b":[],"a":[]})",             // a negative one
      R"({"e":"depthUpdate","E":"x","s":"A","u":5,"b":[],"a":[]})",            // no time
      R"({"e":"depthUpdate","E":1,"s":"A","u":5,"b":[["1"]],"a":[]})",         // half a level
      R"({"e":"depthUpdate","E":1,"s":"A","u":5,"b":[["1","-2"]],"a":[]})",    // a negative size
      R"({"e":"depthUpdate","E":1,"s":"A","u":5,"b":[{"price":1}],"a":[]})",   // levels of another exchange
      R"({"e":"trade","s":"A","t":1,"p":"1","q":"1","T":1})",                  // no side
      R"({"e":"trade","s":"A","t":1,"p":"1","q":"1","T":1,"m":1})",            // not a side
      R"({"e":"trade","s":"A","t":1,"p":true,"q":"1","T":1,"m":true})",        // not a price
      R"({"e":"trade","s":"A","t":"x","p":"1","q":"1","T":1,"m":true})",       // not an id
      R"({"e":"trade","s":7,"t":1,"p":"1","q":"1","T":1,"m":true})",           // not a symbol
      R"({"e":"24hrTicker","s":"A","E":1})",                                   // no price
      R"({"stream":"@depth5","data":{"lastUpdateId":1,"bids":[],"asks":[]}})"  // no symbol
  };
  for (const char* frame : frames) {
    const Outcome outcome = read(frame);
    EXPECT_EQ(outcome.result.kind, FrameKind::Rejected) << frame;
    EXPECT_EQ(outcome.result.rejection, Rejection::Parse) << frame;
    EXPECT_TRUE(outcome.events.empty()) << frame;
  }
}

TEST(Binance, subscribes_to_many_streams_at_once) {
  const auto requests = make_adapter("binance")->subscribe(
      {{EventType::Ticker, "BTCUSDT"}, {EventType::Trade, "BTCUSDT"}, {EventType::OrderBook, "币安BTC"}}, 9);
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(
      requests[0].text,
      R"({"method":"SUBSCRIBE","params":["btcusdt@bookTicker","btcusdt@trade","币安btc@depth@100ms"],"id":9})");
  EXPECT_EQ(requests[0].id, 9U);
}

TEST(Binance, resubscribes_one_stream) {
  const auto requests = make_adapter("binance")->resubscribe({EventType::OrderBook, "BTCUSDT"}, 9);
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].text, R"({"method":"UNSUBSCRIBE","params":["btcusdt@depth@100ms"],"id":9})");
  EXPECT_EQ(requests[1].text, R"({"method":"SUBSCRIBE","params":["btcusdt@depth@100ms"],"id":10})");
  EXPECT_EQ(requests[1].id, 10U);
}

TEST(Binance, a_request_holds_at_most_100_streams) {
  const auto requests =
      make_adapter("binance")->subscribe(std::vector<Subscription>(201, {EventType::Trade, "A"}), 1);
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[2].text, R"({"method":"SUBSCRIBE","params":["a@trade"],"id":3})");
}

}  // namespace
}  // namespace mdpipe::venues

#include <set>

#include "tests/unit/exchange-sim/sim_support.hpp"

namespace mdpipe::sim {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

struct BinanceRequests : testing::Test {
  std::unique_ptr<Venue> venue = make_venue("binance", {"BTCUSDT", "ETHUSDT"}, 5);
  Session session;
  int asked = 0;

  // One request a second, below the limit.
  Reply ask(std::string_view text) {
    return venue->on_text(session, text, at(std::chrono::seconds(++asked)));
  }
};

TEST_F(BinanceRequests, streams_come_from_the_url) {
  venue->on_open(session, "/stream?streams=btcusdt@trade/ethusdt@depth@100ms&timeUnit=MICROSECOND");
  EXPECT_TRUE(session.combined);
  EXPECT_TRUE(session.micros);
  ASSERT_EQ(session.streams.size(), 2U);
  EXPECT_EQ(session.streams[1].symbol, 1U);
  EXPECT_EQ(session.streams[1].kind, Kind::Book);
}

TEST_F(BinanceRequests, an_unknown_stream_is_accepted_and_silent) {
  venue->on_open(session, "/ws/nosuchpair@trade");
  ASSERT_EQ(session.streams.size(), 1U);
  EXPECT_EQ(session.streams[0].symbol, Stream::kNoSymbol);
}

TEST_F(BinanceRequests, subscribe_list_and_unsubscribe_are_acknowledged) {
  venue->on_open(session, "/ws");
  EXPECT_THAT(ask(R"({"method":"SUBSCRIBE","params":["btcusdt@trade","btcusdt@depth"],"id":1})").frames,
              ElementsAre(R"({"result":null,"id":1})"));
  EXPECT_THAT(ask(R"({"method":"LIST_SUBSCRIPTIONS","id":2})").frames,
              ElementsAre(R"({"result":["btcusdt@trade","btcusdt@depth"],"id":2})"));
  EXPECT_THAT(ask(R"({"method":"UNSUBSCRIBE","params":["btcusdt@trade"],"id":3})").frames,
              ElementsAre(R"({"result":null,"id":3})"));
  EXPECT_EQ(session.streams.size(), 1U);
}

TEST_F(BinanceRequests, bad_requests_are_told_by_code) {
  venue->on_open(session, "/ws");
  EXPECT_THAT(ask("x").frames,
              ElementsAre(R"({"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"})"));
  EXPECT_THAT(ask(R"({"method":"SUBSCRIBE","params":[],"id":-1})").frames,
              ElementsAre(R"({"code":2,"msg":"Invalid request: request ID must be an unsigned integer"})"));
  EXPECT_THAT(ask(R"({"method":"SUBSCRIBE","params":"x","id":1})").frames,
              ElementsAre(StartsWith(R"({"code":2,)")));
}

TEST_F(BinanceRequests, a_sixth_message_in_a_second_ends_the_connection) {
  venue->on_open(session, "/ws");
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(
        venue->on_text(session, R"({"method":"LIST_SUBSCRIPTIONS","id":1})", at(milliseconds(i))).close);
  }
  EXPECT_FALSE(venue->on_control(session, at(milliseconds(5))).close) << "pings and pongs count";
  const Reply sixth =
      venue->on_text(session, R"({"method":"LIST_SUBSCRIPTIONS","id":1})", at(milliseconds(999)));
  ASSERT_TRUE(sixth.close);
  EXPECT_EQ(sixth.close->code, 1008);
}

// Goal: Binance's documented recipe for a local book works, with the REST snapshot taken at any moment.
// Method: take a snapshot in the middle of the stream, follow the recipe, and compare with a second snapshot
// at the end.
TEST(BinanceFrames, deltas_on_a_rest_snapshot_give_the_book) {
  ExchangeOptions config = config_for("binance");
  Exchange exchange(config);
  Session session;
  exchange.venue().on_open(session, "/ws/btcusdt@depth@100ms/btcusdt@trade");
  exchange.set_streams({&session});
  const auto rest = [&exchange] {
    return exchange.venue().on_http("/api/v3/depth?symbol=BTCUSDT&limit=5000", exchange.markets())->body;
  };
  simdjson::dom::parser parser;
  std::map<std::string, std::string> bids, asks;
  const auto apply = [](std::map<std::string, std::string>& side, simdjson::dom::element levels) {
    for (const simdjson::dom::element level : levels) {
      const std::string price(std::string_view(level.at(0)));
      const std::string size(std::string_view(level.at(1)));
      if (size == "0.00000000") {
        side.erase(price);
      } else {
        side[price] = size;
      }
    }
  };
  std::uint64_t last = 0;
  int applied = 0;
  for (int i = 0; i < 2'000; ++i) {
    for (const Frame& frame : exchange.next(UnixNanos{1})) {
      const simdjson::dom::element event = parser.parse(frame.body);
      if (std::string_view(event["e"]) != "depthUpdate" || last == 0) continue;
      const std::uint64_t first_id = event["U"];
      const std::uint64_t last_id = event["u"];
      if (last_id <= last) continue;
      if (applied++ == 0) {
        ASSERT_LE(first_id, last + 1);
      } else {
        ASSERT_EQ(first_id, last + 1);
      }
      apply(bids, event["b"]);
      apply(asks, event["a"]);
      last = last_id;
    }
    if (i != 501) continue;
    const std::string body = rest();
    const simdjson::dom::element snapshot = parser.parse(body);
    last = snapshot["lastUpdateId"];
    apply(bids, snapshot["bids"]);
    apply(asks, snapshot["asks"]);
  }
  EXPECT_GT(applied, 100);
  // Changes that no delta has carried yet are only in the snapshot: drain them with the last delta.
  while (exchange.markets()[0].pending_changes() != 0) {
    for (const Frame& frame : exchange.next(UnixNanos{1})) {
      const simdjson::dom::element event = parser.parse(frame.body);
      if (std::string_view(event["e"]) != "depthUpdate") continue;
      apply(bids, event["b"]);
      apply(asks, event["a"]);
    }
  }
  const std::string body = rest();
  const simdjson::dom::element end = parser.parse(body);
  std::map<std::string, std::string> end_bids, end_asks;
  apply(end_bids, end["bids"]);
  apply(end_asks, end["asks"]);
  EXPECT_EQ(bids, end_bids);
  EXPECT_EQ(asks, end_asks);
}

TEST(BinanceFrames, combined_frames_name_their_stream) {
  const auto frames =
      frames_of(config_for("binance"), {}, 20, "/stream?streams=btcusdt@bookTicker/btcusdt@depth5");
  std::set<std::string> starts;
  for (const std::string& frame : frames) starts.insert(frame.substr(0, 30));
  EXPECT_THAT(starts, testing::Contains(StartsWith(R"({"stream":"btcusdt@bookTicker")")));
  EXPECT_THAT(starts, testing::Contains(StartsWith(R"({"stream":"btcusdt@depth5")")));
}

TEST(BinanceFrames, microseconds_where_the_url_asks_for_them) {
  const auto frames =
      frames_of(config_for("binance"), {}, 1, "/stream?streams=btcusdt@trade&timeUnit=MICROSECOND");
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_THAT(frames[0], HasSubstr(R"("E":1790000000123456,)"));
}

TEST(BinanceHttp, answers_depth_only) {
  Exchange exchange(config_for("binance"));
  EXPECT_FALSE(exchange.venue().on_http("/other", exchange.markets()));
  EXPECT_EQ(exchange.venue().on_http("/api/v3/depth?symbol=NO", exchange.markets())->status, 400);
  EXPECT_EQ(exchange.venue().on_http("/api/v3/depth?symbol=BTCUSDT&limit=x", exchange.markets())->status,
            400);
  EXPECT_EQ(exchange.venue().on_http("/api/v3/depth?symbol=BTCUSDT&limit=1", exchange.markets())->status,
            200);
}

}  // namespace
}  // namespace mdpipe::sim

#include <cmath>

#include "tests/unit/exchange-sim/sim_support.hpp"

namespace mdpipe::sim {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string subscribe_to(std::string_view channel, std::string_view id) {
  return R"({"method":"subscribe","params":{"channel":")" + std::string(channel) + R"("},"id":)" +
         std::string(id) + "}";
}

struct BitflyerRequests : testing::Test {
  std::unique_ptr<Venue> venue = make_venue("bitflyer", {"FX_BTC_JPY"}, 0);
  Session session;

  std::vector<std::string> ask(std::string_view text) { return venue->on_text(session, text, at({})).frames; }
};

TEST_F(BitflyerRequests, a_call_is_answered_under_its_id) {
  EXPECT_THAT(ask(subscribe_to("lightning_board_FX_BTC_JPY", "2")),
              ElementsAre(R"({"jsonrpc":"2.0","id":2,"result":true})"));
  EXPECT_THAT(
      ask(subscribe_to("lightning_board_FX_BTC_JPY", R"("a")")),
      ElementsAre(R"({"jsonrpc":"2.0","id":"a","error":{"code":-32009,"message":"already subscribed"}})"));
  EXPECT_EQ(session.streams.size(), 1U);
}

TEST_F(BitflyerRequests, a_call_without_an_id_subscribes_silently) {
  EXPECT_THAT(ask(R"({"method":"subscribe","params":{"channel":"lightning_ticker_FX_BTC_JPY"}})"), IsEmpty());
  ASSERT_EQ(session.streams.size(), 1U);
  EXPECT_EQ(session.streams[0].symbol, 0U);
}

TEST_F(BitflyerRequests, an_unknown_product_is_acknowledged_and_then_silent) {
  EXPECT_THAT(ask(subscribe_to("lightning_board_BTCJPY_MAT1WK", "1")),
              ElementsAre(R"({"jsonrpc":"2.0","id":1,"result":true})"));
  ASSERT_EQ(session.streams.size(), 1U);
  EXPECT_EQ(session.streams[0].symbol, Stream::kNoSymbol);
}

TEST_F(BitflyerRequests, a_batch_is_answered_as_an_array) {
  const auto answers =
      ask("[" + subscribe_to("lightning_board_FX_BTC_JPY", "1") + "," + subscribe_to("no", "2") + "]");
  EXPECT_THAT(
      answers,
      ElementsAre(R"([{"jsonrpc":"2.0","id":1,"result":true},)"
                  R"({"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":"invalid channel"}}])"));
}

TEST_F(BitflyerRequests, errors_carry_json_rpc_codes) {
  EXPECT_THAT(ask("{"),
              ElementsAre(R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}})"));
  EXPECT_THAT(
      ask(R"({"method":"dance","id":9})"),
      ElementsAre(R"({"jsonrpc":"2.0","id":9,"error":{"code":-32601,"message":"Method not found"}})"));
  EXPECT_THAT(ask(R"([1,"x"])"), IsEmpty());  // calls without a method and an id
}

// Goal: a client that applies deltas to a snapshot has the exchange's book at any time. Method: keep such a
// book; each delta's mid_price must be the middle of its best prices, whole yen, and each later snapshot must
// be equal to it.
TEST(BitflyerFrames, deltas_on_a_snapshot_give_the_book_and_its_mid_price) {
  const auto frames = frames_of(
      config_for("bitflyer"),
      {subscribe_to("lightning_board_FX_BTC_JPY", "1"), subscribe_to("lightning_executions_FX_BTC_JPY", "2"),
       subscribe_to("lightning_board_snapshot_FX_BTC_JPY", "3")},
      3'000);
  simdjson::dom::parser parser;
  ClientBook book;
  int snapshots = 0;
  int deltas = 0;
  for (const std::string& frame : frames) {
    const simdjson::dom::element params = parser.parse(frame)["params"];
    const std::string_view channel = params["channel"];
    if (channel.find("board") == std::string_view::npos) continue;
    const simdjson::dom::element message = params["message"];
    const bool is_snapshot = channel.find("snapshot") != std::string_view::npos;
    if (is_snapshot) ++snapshots;
    ClientBook next = is_snapshot ? ClientBook() : book;
    for (const simdjson::dom::element level : message["bids"]) {
      ClientBook::set(next.bids, level["price"], level["size"], simdjson::minify(level["size"].value()));
    }
    for (const simdjson::dom::element level : message["asks"]) {
      ClientBook::set(next.asks, level["price"], level["size"], simdjson::minify(level["size"].value()));
    }
    if (snapshots == 0) continue;  // deltas before the first snapshot cannot be placed
    if (!is_snapshot) ++deltas;
    book = next;
    const double mid = message["mid_price"];
    ASSERT_DOUBLE_EQ(mid, std::floor((book.bids.rbegin()->first + book.asks.begin()->first) / 2))
        << frame.substr(0, 200);
  }
  EXPECT_GT(snapshots, 20);
  EXPECT_GT(deltas, 300);
}

TEST(BitflyerFrames, execution_ids_are_consecutive_and_frames_sometimes_hold_several) {
  const auto frames =
      frames_of(config_for("bitflyer"), {subscribe_to("lightning_executions_BTC_JPY", "1")}, 500);
  simdjson::dom::parser parser;
  std::uint64_t last = 0;
  std::size_t most = 0;
  for (const std::string& frame : frames) {
    const simdjson::dom::array entries = parser.parse(frame)["params"]["message"];
    most = std::max(most, entries.size());
    for (const simdjson::dom::element entry : entries) {
      const std::uint64_t id = entry["id"];
      if (last != 0) {
        ASSERT_EQ(id, last + 1);
      }
      last = id;
    }
  }
  EXPECT_GT(most, 1U);
}

TEST(BitflyerFrames, whole_yen_are_written_with_a_decimal) {
  const auto frames =
      frames_of(config_for("bitflyer"), {subscribe_to("lightning_ticker_FX_BTC_JPY", "1")}, 1);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_THAT(frames[0], testing::ContainsRegex(R"("best_bid":[0-9]+\.0,)"));
  EXPECT_THAT(frames[0], testing::HasSubstr(R"("timestamp":"2026-09-21T14:13:20.1234567Z")"));
}

}  // namespace
}  // namespace mdpipe::sim

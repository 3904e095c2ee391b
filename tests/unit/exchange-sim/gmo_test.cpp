#include <set>

#include "tests/unit/exchange-sim/sim_support.hpp"

namespace mdpipe::sim {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kSubscribe = R"({"command":"subscribe","channel":"trades","symbol":"BTC_JPY"})";
constexpr std::string_view kTakerOnly =
    R"({"command":"subscribe","channel":"trades","symbol":"BTC_JPY","option":"TAKER_ONLY"})";

struct GmoRequests : testing::Test {
  std::unique_ptr<Venue> venue = make_venue("gmo", {"BTC_JPY"}, 0);
  Session session;

  std::vector<std::string> ask(std::string_view text) { return venue->on_text(session, text, at({})).frames; }
};

TEST_F(GmoRequests, subscribing_is_not_acknowledged) {
  EXPECT_THAT(ask(kSubscribe), IsEmpty());
  EXPECT_THAT(ask(kSubscribe), IsEmpty());
  EXPECT_EQ(session.streams.size(), 1U);
  EXPECT_THAT(ask(R"({"command":"unsubscribe","channel":"trades","symbol":"BTC_JPY"})"), IsEmpty());
  EXPECT_THAT(session.streams, IsEmpty());
}

TEST_F(GmoRequests, the_latest_request_decides_about_taker_only) {
  ask(kSubscribe);
  ask(kTakerOnly);
  ASSERT_EQ(session.streams.size(), 1U);
  EXPECT_THAT(session.streams[0].key, HasSubstr("TAKER_ONLY"));
}

TEST_F(GmoRequests, bad_requests_name_the_parameter) {
  EXPECT_THAT(ask("x"), ElementsAre(R"({"error":"ERR-5106 Invalid request parameter."})"));
  EXPECT_THAT(ask(R"({"command":"subscribe","channel":"trades","symbol":"NO"})"),
              ElementsAre(R"({"error":"ERR-5106 Invalid request parameter. symbol"})"));
  EXPECT_THAT(ask(R"({"command":"subscribe","channel":"no","symbol":"BTC_JPY"})"),
              ElementsAre(R"({"error":"ERR-5106 Invalid request parameter. channel"})"));
  EXPECT_THAT(session.streams, IsEmpty());
}

TEST(GmoLimit, one_request_a_second_for_all_connections_of_an_address) {
  const auto venue = make_venue("gmo", {"BTC_JPY"}, 1);
  Session first;
  Session second;
  Session elsewhere;
  first.address = second.address = "10.0.0.1";
  elsewhere.address = "10.0.0.2";
  EXPECT_THAT(venue->on_text(first, kSubscribe, at(milliseconds(0))).frames, IsEmpty());
  EXPECT_THAT(venue->on_text(second, kSubscribe, at(milliseconds(999))).frames,
              ElementsAre(R"({"error":"ERR-5003 Request too many."})"));
  EXPECT_THAT(second.streams, IsEmpty());
  EXPECT_THAT(venue->on_text(elsewhere, kSubscribe, at(milliseconds(999))).frames, IsEmpty());
  EXPECT_THAT(venue->on_text(second, kSubscribe, at(milliseconds(1'000))).frames, IsEmpty());
}

TEST(GmoFrames, a_trades_number_is_in_the_digits_of_its_size) {
  const auto frames = frames_of(config_for("gmo"), {std::string(kTakerOnly)}, 1'000);
  simdjson::dom::parser parser;
  std::uint64_t expected = 0;
  for (const std::string& frame : frames) {
    const std::string size(std::string_view(parser.parse(frame)["size"]));
    ASSERT_EQ(std::stoull(size.substr(size.find('.') + 1)), ++expected) << frame;
  }
  EXPECT_EQ(expected, 1'000U);
}

TEST(GmoFrames, without_taker_only_each_trade_has_two_rows) {
  const auto frames = frames_of(config_for("gmo"), {std::string(kSubscribe)}, 10);
  ASSERT_EQ(frames.size(), 20U);
  for (std::size_t i = 0; i < frames.size(); i += 2) {
    std::string other = frames[i];
    const bool is_buy = other.find("BUY") != std::string::npos;
    other.replace(other.find(is_buy ? "BUY" : "SELL"), is_buy ? 3 : 4, is_buy ? "SELL" : "BUY");
    EXPECT_EQ(other, frames[i + 1]);
  }
}

TEST(GmoFrames, books_are_whole_and_best_first) {
  const auto frames =
      frames_of(config_for("gmo"), {R"({"command":"subscribe","channel":"orderbooks","symbol":"BTC"})"}, 50);
  simdjson::dom::parser parser;
  for (const std::string& frame : frames) {
    const simdjson::dom::element book = parser.parse(frame);
    EXPECT_EQ(std::string_view(book["grouping"]), "1");
    EXPECT_EQ(std::string_view(book["timestamp"]).size(),
              std::string_view("2025-04-30T13:09:45.326Z").size());
    ASSERT_LE(book["bids"].get_array().size(), 30U);
    ASSERT_GE(book["bids"].get_array().size(), 20U);
    double last = 1e18;
    for (const simdjson::dom::element level : book["bids"]) {
      const double price = std::stod(std::string(std::string_view(level["price"])));
      ASSERT_LT(price, last);
      last = price;
    }
    for (const simdjson::dom::element level : book["asks"]) {
      const double price = std::stod(std::string(std::string_view(level["price"])));
      if (last < 1e17) {
        ASSERT_GT(price, std::stod(std::string(std::string_view(book["bids"].at(0)["price"]))));
      }
      last = price;
    }
  }
}

}  // namespace
}  // namespace mdpipe::sim

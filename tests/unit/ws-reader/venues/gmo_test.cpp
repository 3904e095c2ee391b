#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/unit/ws-reader/venues/frames.hpp"

namespace mdpipe::venues {
namespace {

using testing::ElementsAre;
using testing::Pair;

Outcome read(std::string_view frame) { return read_frame("gmo", frame); }
Outcome read_named(const std::string& name) { return read(frame_file("gmo", name)); }

UnixNanos at(const char* time) { return parse_iso8601(time).value(); }

TEST(Gmo, reads_a_ticker_digit_by_digit) {
  const Seen event = only_event(read_named("ticker"));
  EXPECT_EQ(event.type, EventType::Ticker);
  EXPECT_EQ(event.exchange, "gmo");
  EXPECT_EQ(event.symbol, "BTC");
  EXPECT_EQ(event.ts, at("2024-03-01T09:08:07.123Z"));
  EXPECT_EQ(event.recv, kReceived);
  EXPECT_EQ(event.bid, "1200100");
  EXPECT_EQ(event.ask, "1200500");
  EXPECT_EQ(event.last, "1200300");
  EXPECT_EQ(event.high, "1250000.5");
  EXPECT_EQ(event.low, "1100000");
  EXPECT_EQ(event.volume, "321.4500");
}

TEST(Gmo, takes_null_as_absent) {
  const Seen event = only_event(read_named("ticker_nulls"));
  EXPECT_EQ(event.bid, "1200100");
  EXPECT_EQ(event.ask, "");
  EXPECT_EQ(event.volume, "");
  EXPECT_EQ(event.ts, UnixNanos{});
}

TEST(Gmo, reads_a_trade) {
  const Seen event = only_event(read_named("trades"));
  EXPECT_EQ(event.type, EventType::Trade);
  EXPECT_EQ(event.symbol, "BTC_JPY");
  EXPECT_EQ(event.price, "1200300");
  EXPECT_EQ(event.size, "0.0100");
  EXPECT_EQ(event.side, Side::Buy);
  EXPECT_EQ(event.id, "");
}

TEST(Gmo, reads_fields_in_any_order_and_skips_unknown_ones) {
  const Seen event = only_event(read_named("trades_sell_reordered"));
  EXPECT_EQ(event.price, "1200300.00");
  EXPECT_EQ(event.size, "2");
  EXPECT_EQ(event.side, Side::Sell);
  EXPECT_EQ(event.ts, at("2024-03-01T09:08:07Z"));
}

TEST(Gmo, reads_escaped_names_and_digits) {
  const Seen event = only_event(read(
      R"({"ch\u0061nnel":"trades","price":"12\u00300300","side":"BUY","size":"0.\u0031","symbol":"BTC","timestamp":null})"));
  EXPECT_EQ(event.price, "1200300");
  EXPECT_EQ(event.size, "0.1");
}

TEST(Gmo, refuses_what_follows_a_number_in_its_text) {
  for (const char* price : {R"("12x")", R"("12\u0078")", R"("12 ")", R"("012")", R"("12"7)"}) {
    const std::string frame = fmt::format(
        R"({{"channel":"trades","price":{},"side":"BUY","size":"1","symbol":"BTC","timestamp":null}})",
        price);
    EXPECT_EQ(read(frame).result.kind, FrameKind::Rejected) << frame;
  }
}

TEST(Gmo, reads_an_order_book_as_a_snapshot) {
  const Seen event = only_event(read_named("orderbooks"));
  EXPECT_EQ(event.kind, BookKind::Snapshot);
  EXPECT_EQ(event.book_seq, std::nullopt);
  EXPECT_THAT(event.bids, ElementsAre(Pair("1200100", "0.3"), Pair("1200000", "0.04")));
  EXPECT_THAT(event.asks, ElementsAre(Pair("1200500", "0.1"), Pair("1200600", "0.20")));
}

TEST(Gmo, puts_levels_best_first) {
  const Seen event = only_event(read_named("orderbooks_unsorted"));
  EXPECT_THAT(event.bids, ElementsAre(Pair("100.5", "2"), Pair("99", "1")));
  EXPECT_THAT(event.asks, ElementsAre(Pair("102.75", "1"), Pair("103", "1")));
}

TEST(Gmo, an_empty_book_is_a_book_and_a_missing_side_is_not) {
  EXPECT_TRUE(only_event(read_named("orderbooks_empty")).bids.empty());
  EXPECT_EQ(read(R"({"channel":"orderbooks","symbol":"BTC","asks":[]})").result.kind, FrameKind::Rejected);
  EXPECT_EQ(read(R"({"channel":"orderbooks","symbol":"BTC","asks":[],"bids":null})").result.kind,
            FrameKind::Rejected);
}

TEST(Gmo, errors_are_api_errors) {
  for (const char* name : {"error_request_parameter", "error_too_many"}) {
    const Outcome outcome = read_named(name);
    EXPECT_EQ(outcome.result.kind, FrameKind::ApiError) << name;
    EXPECT_EQ(outcome.result.request_id, std::nullopt) << name;
  }
}

TEST(Gmo, a_null_error_is_none) {
  EXPECT_EQ(read(R"({"error":null,"channel":"ticker","symbol":"BTC","bid":"1"})").result.kind,
            FrameKind::Events);
}

TEST(Gmo, an_unknown_channel_is_rejected_as_such) {
  const Outcome outcome = read_named("unknown_channel");
  EXPECT_EQ(outcome.result.kind, FrameKind::Rejected);
  EXPECT_EQ(outcome.result.rejection, Rejection::UnknownChannel);
}

TEST(Gmo, rejects_what_cannot_be_right) {
  const char* const frames[] = {
      R"({"channel":"trades","symbol":"BTC","price":"1","size":"1"})",                   // no side
      R"({"channel":"trades","symbol":"BTC","price":"1","size":"1","side":"buy"})",      // not the document's
                                                                                         // word
      R"({"channel":"trades","symbol":"BTC","price":"1","side":"BUY"})",                 // no size
      R"({"channel":"trades","symbol":"BTC","price":"1","size":"-1","side":"BUY"})",     // a negative size
      R"({"channel":"trades","symbol":"BTC","price":"1,000","size":"1","side":"BUY"})",  // no decimal
      R"({"channel":"trades","price":"1","size":"1","side":"BUY"})",                     // no symbol
      R"({"channel":"trades","symbol":"","price":"1","size":"1","side":"BUY"})",         // an empty one
      R"({"channel":"trades","symbol":"B\nC","price":"1","size":"1","side":"BUY"})",     // with a line end
      R"({"channel":"ticker","symbol":"BTC","bid":null})",                               // no price at all
      R"({"channel":"ticker","symbol":"BTC","bid":"1","timestamp":"yesterday"})",        // no time
      R"({"channel":"ticker","symbol":"BTC","bid":"1","timestamp":"2024-03-01T09:08:07+09:00"})"  // not UTC
  };
  for (const char* frame : frames) {
    const Outcome outcome = read(frame);
    EXPECT_EQ(outcome.result.kind, FrameKind::Rejected) << frame;
    EXPECT_EQ(outcome.result.rejection, Rejection::Parse) << frame;
    EXPECT_FALSE(outcome.result.reason.empty()) << frame;
    EXPECT_TRUE(outcome.events.empty()) << frame;
  }
}

TEST(Gmo, a_symbol_has_at_most_64_bytes) {
  const auto frame = [](std::size_t bytes) {
    return R"({"channel":"ticker","bid":"1","symbol":")" + std::string(bytes, 'X') + R"("})";
  };
  EXPECT_EQ(read(frame(64)).result.kind, FrameKind::Events);
  EXPECT_EQ(read(frame(65)).result.kind, FrameKind::Rejected);
}

TEST(Gmo, subscribes_to_one_channel_and_symbol_a_message) {
  const auto requests = make_adapter("gmo")->subscribe(
      {{EventType::Ticker, "BTC"}, {EventType::Trade, "BTC_JPY"}, {EventType::OrderBook, "E\"TH"}}, 1);
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[0].text, R"({"command":"subscribe","channel":"ticker","symbol":"BTC"})");
  EXPECT_EQ(requests[1].text,
            R"({"command":"subscribe","channel":"trades","symbol":"BTC_JPY","option":"TAKER_ONLY"})");
  EXPECT_EQ(requests[2].text, R"({"command":"subscribe","channel":"orderbooks","symbol":"E\"TH"})");
  for (const Request& request : requests) EXPECT_EQ(request.id, std::nullopt);
}

TEST(Gmo, resubscribes_one_channel_of_one_symbol) {
  const auto requests = make_adapter("gmo")->resubscribe({EventType::Trade, "E\"TH"}, 1);
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].text, R"({"command":"unsubscribe","channel":"trades","symbol":"E\"TH"})");
  EXPECT_EQ(requests[1].text,
            R"({"command":"subscribe","channel":"trades","symbol":"E\"TH","option":"TAKER_ONLY"})");
  EXPECT_EQ(requests[0].id, std::nullopt);
}

TEST(Gmo, keeps_below_one_request_a_second_for_the_whole_host) {
  const auto adapter = make_adapter("gmo");
  EXPECT_GE(adapter->profile().request_interval, std::chrono::seconds(1));
  EXPECT_TRUE(adapter->profile().paced_per_host);
}

}  // namespace
}  // namespace mdpipe::venues

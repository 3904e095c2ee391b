#include "libshared/wire/event_codec.hpp"

#include <gmock/gmock.h>

#include <limits>
#include <map>
#include <msgpack.hpp>

namespace mdpipe::wire {
namespace {

using testing::ElementsAre;
using testing::Pair;
using Map = std::map<std::string, msgpack::object>;
using Pairs = std::vector<std::pair<std::string, std::string>>;

// An event read back by an independent decoder; owns what the objects of the map point into.
struct Decoded {
  msgpack::object_handle handle;
  Map map;

  [[nodiscard]] std::string text(const char* key) const { return map.at(key).as<std::string>(); }
  [[nodiscard]] std::vector<std::string> keys() const {
    std::vector<std::string> names;
    for (const auto& member : map) names.push_back(member.first);
    return names;
  }
};

Decoded encode_and_decode(const Event& event, std::uint64_t seq) {
  ByteBuffer bytes;
  encode_event(event, seq, bytes);
  std::size_t offset = 0;
  Decoded decoded{msgpack::unpack(bytes.data(), bytes.size(), offset), {}};
  EXPECT_EQ(offset, bytes.size());
  decoded.map = decoded.handle.get().as<Map>();
  EXPECT_EQ(decoded.map.size(), decoded.handle.get().via.map.size) << "a key occurs twice";
  return decoded;
}

TEST(EventCodec, writes_a_trade) {
  const Decoded event = encode_and_decode(
      {"gmo", "BTC_JPY", UnixNanos{5}, UnixNanos{6}, Trade{"1200300.00", "0.0100", Side::Sell, "77"}}, 9);
  EXPECT_THAT(event.keys(),
              ElementsAre("exchange", "id", "price", "recv", "seq", "side", "size", "symbol", "ts", "type"));
  EXPECT_EQ(event.text("type"), "trade");
  EXPECT_EQ(event.text("exchange"), "gmo");
  EXPECT_EQ(event.text("symbol"), "BTC_JPY");
  EXPECT_EQ(event.text("price"), "1200300.00");
  EXPECT_EQ(event.text("size"), "0.0100");
  EXPECT_EQ(event.text("side"), "sell");
  EXPECT_EQ(event.text("id"), "77");
  EXPECT_EQ(event.map.at("ts").as<std::int64_t>(), 5);
  EXPECT_EQ(event.map.at("recv").as<std::int64_t>(), 6);
  EXPECT_EQ(event.map.at("seq").as<std::uint64_t>(), 9U);
}

TEST(EventCodec, leaves_out_what_was_not_given) {
  const Decoded trade = encode_and_decode({"x", "y", {}, {}, Trade{"1", "2", Side::None, {}}}, 1);
  EXPECT_THAT(trade.keys(), ElementsAre("exchange", "price", "recv", "seq", "size", "symbol", "ts", "type"));
  const Decoded ticker = encode_and_decode({"x", "y", {}, {}, Ticker{{}, "2.5", {}, {}, {}, {}}}, 1);
  EXPECT_THAT(ticker.keys(), ElementsAre("ask", "exchange", "recv", "seq", "symbol", "ts", "type"));
  EXPECT_EQ(ticker.text("type"), "ticker");
}

TEST(EventCodec, writes_a_whole_ticker) {
  const Decoded event = encode_and_decode({"x", "y", {}, {}, Ticker{"1", "2", "3", "4", "5", "6"}}, 1);
  EXPECT_EQ(event.text("bid") + event.text("ask") + event.text("last") + event.text("high") +
                event.text("low") + event.text("volume"),
            "123456");
}

TEST(EventCodec, writes_books_with_and_without_a_number) {
  const Level bids[] = {{"10.0", "1"}, {"9.5", "0"}};
  const Level asks[] = {{"11", "2e-8"}};
  const Decoded delta = encode_and_decode(
      {"x",
       "y",
       {},
       {},
       OrderBook{BookKind::Delta, {bids, 2}, {asks, 1}, std::numeric_limits<std::uint64_t>::max()}},
      1);
  EXPECT_EQ(delta.text("type"), "orderbook");
  EXPECT_EQ(delta.text("kind"), "delta");
  EXPECT_EQ(delta.map.at("book_seq").as<std::uint64_t>(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_THAT(delta.map.at("bids").as<Pairs>(), ElementsAre(Pair("10.0", "1"), Pair("9.5", "0")));
  EXPECT_THAT(delta.map.at("asks").as<Pairs>(), ElementsAre(Pair("11", "2e-8")));
  const Decoded snapshot =
      encode_and_decode({"x", "y", {}, {}, OrderBook{BookKind::Snapshot, {}, {}, std::nullopt}}, 1);
  EXPECT_EQ(snapshot.text("kind"), "snapshot");
  EXPECT_EQ(snapshot.map.count("book_seq"), 0U);
  EXPECT_TRUE(snapshot.map.at("bids").as<Pairs>().empty());
}

TEST(EventCodec, writes_a_change_of_a_feed) {
  const Decoded gap = encode_and_decode({"x",
                                         "y",
                                         {},
                                         UnixNanos{9},
                                         FeedChange{EventType::Trade, FeedState::Gap, UnixNanos{5},
                                                    "reconnected", UnixNanos{3}, UnixNanos{4}, 7}},
                                        1);
  EXPECT_THAT(gap.keys(), ElementsAre("channel", "exchange", "from", "lost", "reason", "recv", "seq", "since",
                                      "state", "symbol", "to", "ts", "type"));
  EXPECT_EQ(gap.text("type") + gap.text("channel") + gap.text("state"), "feedtradegap");
  EXPECT_EQ(gap.map.at("since").as<std::int64_t>(), 5);
  EXPECT_EQ(gap.map.at("lost").as<std::uint64_t>(), 7U);
  const Decoded live = encode_and_decode(
      {"x", "y", {}, {}, FeedChange{EventType::OrderBook, FeedState::Live, UnixNanos{5}, "data"}}, 1);
  EXPECT_EQ(live.map.count("from") + live.map.count("to") + live.map.count("lost"), 0U);
}

TEST(EventCodec, keeps_the_extremes) {
  const std::string symbol(300, 'S');
  const Decoded event = encode_and_decode(
      {"x", symbol, UnixNanos{std::numeric_limits<std::int64_t>::max()},
       UnixNanos{std::numeric_limits<std::int64_t>::min()}, Ticker{"1", {}, {}, {}, {}, {}}},
      std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(event.text("symbol"), symbol);
  EXPECT_EQ(event.map.at("ts").as<std::int64_t>(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(event.map.at("recv").as<std::int64_t>(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(event.map.at("seq").as<std::uint64_t>(), std::numeric_limits<std::uint64_t>::max());
}

TEST(EventCodec, a_batch_is_an_array_of_events) {
  for (const std::uint32_t count : {0U, 1U, 3U, 70'000U}) {
    ByteBuffer bytes;
    bytes.append("left over");
    begin_batch(bytes);
    for (std::uint32_t i = 0; i < count; ++i)
      encode_event({"x", "y", {}, {}, Trade{"1", "2", Side::Buy, {}}}, i + 1, bytes);
    seal_batch(bytes, count);
    const auto handle = msgpack::unpack(bytes.data(), bytes.size());
    ASSERT_EQ(handle.get().type, msgpack::type::ARRAY);
    ASSERT_EQ(handle.get().via.array.size, count);
    if (count > 0) {
      EXPECT_EQ(handle.get().via.array.ptr[count - 1].as<Map>().at("seq").as<std::uint32_t>(), count);
    }
  }
}

}  // namespace
}  // namespace mdpipe::wire

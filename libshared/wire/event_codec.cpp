#include "libshared/wire/event_codec.hpp"

#include <cassert>

#include "libshared/wire/msgpack_writer.hpp"

namespace mdpipe::wire {
namespace {

void put(MsgpackWriter& out, std::string_view key, std::string_view value) {
  out.text(key);
  out.text(value);
}

template <typename Number>
void put_number(MsgpackWriter& out, std::string_view key, Number value) {
  out.text(key);
  out.number(value);
}

void put_if_given(MsgpackWriter& out, std::string_view key, std::string_view value) {
  if (!value.empty()) put(out, key, value);
}

void put(MsgpackWriter& out, std::string_view key, const Levels& levels) {
  out.text(key);
  out.array(static_cast<std::uint32_t>(levels.size));
  for (const Level& level : levels) {
    out.array(2);
    out.text(level.price);
    out.text(level.size);
  }
}

std::uint32_t count_given(std::initializer_list<std::string_view> values) {
  std::uint32_t count = 0;
  for (const auto& value : values) count += value.empty() ? 0 : 1;
  return count;
}

std::string_view side_name(Side side) {
  if (side == Side::None) return {};
  return side == Side::Buy ? "buy" : "sell";
}

std::uint32_t key_count(const Ticker& t) {
  return count_given({t.bid, t.ask, t.last, t.high, t.low, t.volume});
}
std::uint32_t key_count(const Trade& t) { return 2 + count_given({side_name(t.side), t.id}); }
std::uint32_t key_count(const OrderBook& book) { return book.book_seq ? 4 : 3; }

std::uint32_t key_count(const FeedChange& feed) {
  return 4 + (feed.from.count != 0 ? 1 : 0) + (feed.to.count != 0 ? 1 : 0) + (feed.lost ? 1 : 0);
}

void put_body(MsgpackWriter& out, const Ticker& ticker) {
  put_if_given(out, "bid", ticker.bid);
  put_if_given(out, "ask", ticker.ask);
  put_if_given(out, "last", ticker.last);
  put_if_given(out, "high", ticker.high);
  put_if_given(out, "low", ticker.low);
  put_if_given(out, "volume", ticker.volume);
}

void put_body(MsgpackWriter& out, const Trade& trade) {
  put(out, "price", trade.price);
  put(out, "size", trade.size);
  put_if_given(out, "side", side_name(trade.side));
  put_if_given(out, "id", trade.id);
}

void put_body(MsgpackWriter& out, const OrderBook& book) {
  put(out, "kind",
      book.kind == BookKind::Snapshot ? std::string_view("snapshot") : std::string_view("delta"));
  if (book.book_seq) put_number(out, "book_seq", *book.book_seq);
  put(out, "bids", book.bids);
  put(out, "asks", book.asks);
}

void put_time_if_given(MsgpackWriter& out, std::string_view key, UnixNanos time) {
  if (time.count != 0) put_number(out, key, time.count);
}

void put_body(MsgpackWriter& out, const FeedChange& feed) {
  put(out, "channel", to_string(feed.channel));
  put(out, "state", to_string(feed.state));
  put_number(out, "since", feed.since.count);
  put(out, "reason", feed.reason);
  put_time_if_given(out, "from", feed.from);
  put_time_if_given(out, "to", feed.to);
  if (feed.lost) put_number(out, "lost", *feed.lost);
}

}  // namespace

void encode_event(const Event& event, std::uint64_t seq, ByteBuffer& out) {
  constexpr std::uint32_t kCommonKeys = 6;
  MsgpackWriter writer(out);
  writer.map(kCommonKeys + std::visit([](const auto& body) { return key_count(body); }, event.body));
  put(writer, "type", to_string(event.type()));
  put(writer, "exchange", event.exchange);
  put(writer, "symbol", event.symbol);
  put_number(writer, "ts", event.ts.count);
  put_number(writer, "recv", event.recv.count);
  put_number(writer, "seq", seq);
  std::visit([&writer](const auto& body) { put_body(writer, body); }, event.body);
}

void begin_batch(ByteBuffer& out) {
  out.clear();
  out.append(std::string_view("\xdd\0\0\0\0", kBatchPrefixBytes));  // array 32
}

void seal_batch(ByteBuffer& out, std::uint32_t count) {
  assert(out.size() >= kBatchPrefixBytes);
  for (std::size_t i = 0; i < 4; ++i) out.data()[1 + i] = static_cast<char>(count >> (24 - 8 * i));
}

}  // namespace mdpipe::wire

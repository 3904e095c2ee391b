#include "libshared/wire/event_codec.hpp"

#include <cassert>
#include <msgpack.hpp>

namespace mdpipe::wire {
namespace {

using Packer = msgpack::packer<ByteBuffer>;

void put(Packer& packer, std::string_view text) {
  packer.pack_str(static_cast<std::uint32_t>(text.size()));
  packer.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
}

void put(Packer& packer, std::string_view key, std::string_view value) {
  put(packer, key);
  put(packer, value);
}

void put_if_given(Packer& packer, std::string_view key, std::string_view value) {
  if (!value.empty()) put(packer, key, value);
}

void put(Packer& packer, std::string_view key, const Levels& levels) {
  put(packer, key);
  packer.pack_array(static_cast<std::uint32_t>(levels.size));
  for (const Level& level : levels) {
    packer.pack_array(2);
    put(packer, level.price);
    put(packer, level.size);
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

std::uint32_t key_count(const Feed& feed) {
  return 4 + (feed.from.count != 0 ? 1 : 0) + (feed.to.count != 0 ? 1 : 0) + (feed.lost ? 1 : 0);
}

void put_body(Packer& packer, const Ticker& ticker) {
  put_if_given(packer, "bid", ticker.bid);
  put_if_given(packer, "ask", ticker.ask);
  put_if_given(packer, "last", ticker.last);
  put_if_given(packer, "high", ticker.high);
  put_if_given(packer, "low", ticker.low);
  put_if_given(packer, "volume", ticker.volume);
}

void put_body(Packer& packer, const Trade& trade) {
  put(packer, "price", trade.price);
  put(packer, "size", trade.size);
  put_if_given(packer, "side", side_name(trade.side));
  put_if_given(packer, "id", trade.id);
}

void put_body(Packer& packer, const OrderBook& book) {
  put(packer, "kind",
      book.kind == BookKind::Snapshot ? std::string_view("snapshot") : std::string_view("delta"));
  if (book.book_seq) {
    put(packer, "book_seq");
    packer.pack_uint64(*book.book_seq);
  }
  put(packer, "bids", book.bids);
  put(packer, "asks", book.asks);
}

void put_time_if_given(Packer& packer, std::string_view key, UnixNanos time) {
  if (time.count == 0) return;
  put(packer, key);
  packer.pack_int64(time.count);
}

void put_body(Packer& packer, const Feed& feed) {
  put(packer, "channel", to_string(feed.channel));
  put(packer, "state", to_string(feed.state));
  put(packer, "since");
  packer.pack_int64(feed.since.count);
  put(packer, "reason", feed.reason);
  put_time_if_given(packer, "from", feed.from);
  put_time_if_given(packer, "to", feed.to);
  if (feed.lost) {
    put(packer, "lost");
    packer.pack_uint64(*feed.lost);
  }
}

}  // namespace

void encode_event(const Event& event, std::uint64_t seq, ByteBuffer& out) {
  constexpr std::uint32_t kCommonKeys = 6;
  Packer packer(out);
  packer.pack_map(kCommonKeys + std::visit([](const auto& body) { return key_count(body); }, event.body));
  put(packer, "type", to_string(event.type()));
  put(packer, "exchange", event.exchange);
  put(packer, "symbol", event.symbol);
  put(packer, "ts");
  packer.pack_int64(event.ts.count);
  put(packer, "recv");
  packer.pack_int64(event.recv.count);
  put(packer, "seq");
  packer.pack_uint64(seq);
  std::visit([&packer](const auto& body) { put_body(packer, body); }, event.body);
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

// Any bytes as a frame of one exchange (MDPIPE_FUZZ_VENUE). Promises: the sink gets events only if the
// result says so, reading the same frame again gives the same events, every number is a decimal, books are
// best first, and what the encoder writes reads back as the event, in msgpack and as JSON. The same bytes are
// read as a book fetched over HTTP.
#include <simdjson.h>

#include <cstdint>
#include <msgpack.hpp>
#include <string>
#include <vector>

#include "libshared/event/decimal.hpp"
#include "libshared/wire/event_codec.hpp"
#include "libshared/wire/json.hpp"
#include "tests/fuzz/fuzz_check.hpp"
#include "ws-reader/venues/registry.hpp"

namespace mdpipe {
namespace {

using fuzz::check;
using Map = std::map<std::string, msgpack::object>;

void check_number(Decimal text, bool required) {
  check(required ? is_decimal(text) : text.empty() || is_decimal(text), "every price and size is a decimal");
}

void check_levels(const Levels& levels, int direction) {
  const Level* previous = nullptr;
  for (const Level& level : levels) {
    check_number(level.price, true);
    check_number(level.size, true);
    check(level.size.front() != '-', "no level has a negative size");
    check(previous == nullptr || direction * compare_decimals(previous->price, level.price) >= 0,
          "levels are best first");
    previous = &level;
  }
}

void check_body(const Ticker& ticker) {
  for (const Decimal value : {ticker.bid, ticker.ask, ticker.last, ticker.high, ticker.low, ticker.volume}) {
    check_number(value, false);
  }
  check(!ticker.bid.empty() || !ticker.ask.empty() || !ticker.last.empty(), "a ticker has a price");
}

void check_body(const Trade& trade) {
  check_number(trade.price, true);
  check_number(trade.size, true);
  check(trade.id.size() <= 64, "an id has at most 64 bytes");
}

void check_body(const FeedChange&) { check(false, "an adapter never makes a feed event"); }

void check_body(const OrderBook& book) {
  check_levels(book.bids, 1);
  check_levels(book.asks, -1);
  check_number(book.mid_price, false);
}

bool equal(const Map& map, const char* key, std::string_view value) {
  const auto found = map.find(key);
  return value.empty() ? found == map.end() : found != map.end() && found->second.as<std::string>() == value;
}

bool equal(const msgpack::object& object, const Levels& levels) {
  const auto pairs = object.as<std::vector<std::pair<std::string, std::string>>>();
  if (pairs.size() != levels.size) return false;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (pairs[i].first != levels.data[i].price || pairs[i].second != levels.data[i].size) return false;
  }
  return true;
}

bool equal(const Map& map, const Ticker& ticker) {
  return equal(map, "bid", ticker.bid) && equal(map, "ask", ticker.ask) && equal(map, "last", ticker.last) &&
         equal(map, "high", ticker.high) && equal(map, "low", ticker.low) &&
         equal(map, "volume", ticker.volume);
}

bool equal(const Map& map, const Trade& trade) {
  return equal(map, "price", trade.price) && equal(map, "size", trade.size) && equal(map, "id", trade.id);
}

bool equal(const Map&, const FeedChange&) { return false; }

bool equal(const Map& map, const OrderBook& book) {
  return equal(map.at("bids"), book.bids) && equal(map.at("asks"), book.asks) &&
         (book.book_seq ? map.at("book_seq").as<std::uint64_t>() == *book.book_seq
                        : map.count("book_seq") == 0);
}

class CheckingSink final : public venues::EventSink {
 public:
  CheckingSink() { wire::begin_batch(batch_); }

  void on_event(const Event& event) override {
    check(event.exchange == MDPIPE_FUZZ_VENUE, "an event names its exchange");
    check(!event.symbol.empty() && event.symbol.size() <= 64, "a symbol has 1 to 64 bytes");
    check(event.recv.count == 7, "the receive time is passed on");
    std::visit([](const auto& body) { check_body(body); }, event.body);
    const std::size_t begin = batch_.size();
    wire::encode_event(event, ++count_, batch_);
    check_decoded(event, batch_.view().substr(begin));
  }

  std::string_view finish() {
    wire::seal_batch(batch_, count_);
    return batch_.view();
  }

  [[nodiscard]] std::uint32_t count() const { return count_; }

 private:
  void check_decoded(const Event& event, std::string_view bytes) const {
    const auto handle = msgpack::unpack(bytes.data(), bytes.size());
    const Map map = handle.get().as<Map>();
    check(equal(map, "type", to_string(event.type())) && equal(map, "symbol", event.symbol) &&
              map.at("ts").as<std::int64_t>() == event.ts.count &&
              map.at("seq").as<std::uint64_t>() == count_,
          "an encoded event reads back: common fields");
    check(std::visit([&map](const auto& body) { return equal(map, body); }, event.body),
          "an encoded event reads back: its own fields");
  }

  wire::ByteBuffer batch_;
  std::uint32_t count_ = 0;
};

void check_ndjson(std::string_view batch, std::uint32_t events) {
  wire::ByteBuffer lines;
  check(wire::append_batch_as_ndjson(batch, lines), "a batch of events becomes JSON");
  simdjson::dom::parser parser;
  std::uint32_t count = 0;
  for (std::size_t at = 0; at < lines.size(); ++count) {
    const std::size_t end = lines.view().find('\n', at);
    check(end != std::string::npos, "every line has an end");
    check(parser.parse(lines.data() + at, end - at).error() == simdjson::SUCCESS, "every line is JSON");
    at = end + 1;
  }
  check(count == events, "one line an event");
}

}  // namespace
}  // namespace mdpipe

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mdpipe;
  static const auto adapter = venues::make_adapter(MDPIPE_FUZZ_VENUE);
  const std::string_view frame(reinterpret_cast<const char*>(data), size);
  CheckingSink first;
  const venues::FrameResult result = adapter->on_frame(frame, UnixNanos{7}, first);
  check(result.kind == venues::FrameKind::Events || first.count() == 0,
        "no events from a frame that is not market data");
  const bool rejected = result.kind == venues::FrameKind::Rejected;
  check(rejected != (result.rejection == venues::Rejection::None),
        "a rejection, and nothing else, has its class");
  check(rejected != result.reason.empty(), "a rejection, and nothing else, has a reason");
  CheckingSink again;
  const venues::FrameResult repeated = adapter->on_frame(frame, UnixNanos{7}, again);
  check(repeated.kind == result.kind && first.finish() == again.finish(),
        "a frame says the same when it comes again");
  check_ndjson(first.finish(), first.count());
  CheckingSink fetched;
  const venues::FrameResult book = adapter->read_book_snapshot(frame, "X", UnixNanos{7}, fetched);
  check(fetched.count() == (book.kind == venues::FrameKind::Events ? 1U : 0U),
        "a fetched book is one event or a rejection");
  return 0;
}

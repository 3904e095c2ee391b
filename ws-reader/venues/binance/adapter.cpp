// Binance spot. Events come bare or as {"stream":..,"data":{..}}; "e" names the type, except for the best
// price (bookTicker) and for partial books, which have none. One letter means different things in different
// events ("b" is a price, a list of levels or an order id), so letters are read as what they are and judged
// once the type is known. Source: binance/binance-spot-api-docs, web-socket-streams.md (read 2026-07).
#include "ws-reader/venues/adapter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "libshared/event/decimal.hpp"
#include "libshared/json/json_string.hpp"
#include "libshared/text/ascii.hpp"
#include "ws-reader/venues/json_reader.hpp"

namespace mdpipe::venues {
namespace {

using simdjson::ondemand::json_type;

// At most 5 messages a second, pings and pongs included. The server pings every 20 s: three missed ones are
// the end. A book of kBookLevels costs 50 of the 6000 units of weight a minute: one each 600 ms.
constexpr Profile kProfile{"binance",
                           "wss://stream.binance.com:9443/stream",
                           std::chrono::milliseconds(250),
                           false,
                           std::chrono::seconds(60),
                           BookRecipe::RestSeeded,
                           "https://api.binance.com",
                           std::chrono::milliseconds(600)};
constexpr int kBookLevels = 1000;
constexpr std::size_t kStreamsPerRequestMax = 100;  // keeps a request far below the size the exchange refuses

std::string_view stream_suffix(EventType type) {
  switch (type) {
    case EventType::Ticker:
      return "@bookTicker";
    case EventType::Trade:
      return "@trade";
    case EventType::OrderBook:
      return "@depth@100ms";
    case EventType::Feed:  // ours, no channel of an exchange
      break;
  }
  return {};
}

// Documented event types that are not collected.
bool is_other(std::string_view event) {
  constexpr std::string_view kNames[] = {"kline",    "24hrMiniTicker", "avgPrice",
                                         "1hTicker", "4hTicker",       "1dTicker"};
  return std::find(std::begin(kNames), std::end(kNames), event) != std::end(kNames);
}

Decimal decimal_or_none(std::string_view text, std::string_view reason) {
  if (!text.empty() && !is_decimal(text)) throw BadFrame{reason};
  return text;
}

Decimal decimal(std::string_view text, std::string_view reason) {
  if (text.empty()) throw BadFrame{reason};
  return decimal_or_none(text, reason);
}

// Of "U", which only depth updates are known to have.
std::optional<std::uint64_t> uint_or_none(std::string_view text, std::string_view reason) {
  if (text.empty()) return std::nullopt;
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) throw BadFrame{reason};
  return number;
}

std::string_view trade_id(std::string_view text) {
  if (text.size() > 20 || text.find_first_not_of("0123456789") != std::string_view::npos) {
    throw BadFrame{"a trade's id is not an integer"};
  }
  return text;
}

// A pair of levels lists, present or not.
struct Book {
  std::vector<Level> bids, asks;
  bool has_bids = false, has_asks = false;

  void clear() { has_bids = has_asks = false; }
};

// The members of an event, whatever its type.
struct Fields {
  std::string_view event, symbol;
  UnixNanos event_time, trade_time;
  std::optional<std::uint64_t> update_id, last_update_id;
  std::optional<bool> buyer_is_maker;
  std::string_view a, b, c, h, l, p, q, t, v, first_update_id;
};

class BinanceAdapter final : public Adapter {
 public:
  [[nodiscard]] const Profile& profile() const override { return kProfile; }

  [[nodiscard]] std::vector<Request> subscribe(const std::vector<Subscription>& subscriptions,
                                               std::uint64_t first_id) const override {
    return calls("SUBSCRIBE", subscriptions, first_id);
  }

  [[nodiscard]] std::vector<Request> unsubscribe(const std::vector<Subscription>& subscriptions,
                                                 std::uint64_t first_id) const override {
    return calls("UNSUBSCRIBE", subscriptions, first_id);
  }

  FrameResult on_frame(std::string_view frame, UnixNanos received, EventSink& sink) override {
    return reject_bad_frames([&] { return read(frame, received, sink); });
  }

  [[nodiscard]] std::string book_snapshot_target(std::string_view symbol) const override {
    return fmt::format("/api/v3/depth?symbol={}&limit={}", ascii::percent_encoded(symbol), kBookLevels);
  }

  FrameResult read_book_snapshot(std::string_view body, std::string_view symbol, UnixNanos received,
                                 EventSink& sink) override {
    return reject_bad_frames([&] { return read_snapshot(body, symbol, received, sink); });
  }

 private:
  static void append_stream(const Subscription& wanted, std::string& names) {
    std::string stream = ascii::lower(wanted.symbol);
    stream.append(stream_suffix(wanted.channel));
    append_json_string(stream, names);
  }

  static std::vector<Request> calls(std::string_view method, const std::vector<Subscription>& subscriptions,
                                    std::uint64_t first_id) {
    std::vector<Request> requests;
    for (std::size_t at = 0; at < subscriptions.size(); at += kStreamsPerRequestMax) {
      std::string names;
      for (std::size_t i = at; i < std::min(subscriptions.size(), at + kStreamsPerRequestMax); ++i) {
        if (!names.empty()) names.push_back(',');
        append_stream(subscriptions[i], names);
      }
      const std::uint64_t id = first_id + requests.size();
      requests.push_back({fmt::format(R"({{"method":"{}","params":[{}],"id":{}}})", method, names, id), id});
    }
    return requests;
  }

  // What is around an event, or an answer to a request.
  struct Envelope {
    std::string_view stream;
    std::optional<std::uint64_t> id;
    bool has_data = false, has_list = false, has_result = false, has_error = false;
    bool has_code = false, has_message = false;
    bool list_is_other = false;
  };

  FrameResult read(std::string_view frame, UnixNanos received, EventSink& sink) {
    auto& document = reader_.read(frame);
    if (document.type() == json_type::array) {
      const bool known = read_event_list(document.get_array());
      expect_end(document);
      return known ? FrameResult::other() : unknown_event();
    }
    Envelope envelope;
    Fields bare;
    Fields wrapped;
    bare_book_.clear();
    wrapped_book_.clear();
    for (auto member : document.get_object()) {
      const std::string_view key = read_key(member);
      if (key == "data") {
        read_data(member.value(), envelope, wrapped);
      } else if (!read_envelope_member(key, member.value(), envelope)) {
        read_event_member(key, member.value(), bare, bare_book_);
      }
    }
    expect_end(document);
    if (envelope.has_data) return emit(wrapped, wrapped_book_, envelope.stream, received, sink);
    if (envelope.has_list) return envelope.list_is_other ? FrameResult::other() : unknown_event();
    if (!bare.event.empty()) return emit(bare, bare_book_, envelope.stream, received, sink);
    if (envelope.has_error || (envelope.has_code && envelope.has_message))
      return FrameResult::api_error(envelope.id);
    if (envelope.has_result) return FrameResult::control(envelope.id);
    return emit(bare, bare_book_, envelope.stream, received, sink);
  }

  FrameResult read_snapshot(std::string_view body, std::string_view symbol, UnixNanos received,
                            EventSink& sink) {
    auto& document = reader_.read(body);
    Fields fields;
    bare_book_.clear();
    for (auto member : document.get_object())
      read_event_member(read_key(member), member.value(), fields, bare_book_);
    expect_end(document);
    if (!fields.last_update_id) throw BadFrame{"a book snapshot lacks lastUpdateId"};
    emit_snapshot(fields, bare_book_, symbol, received, sink);
    return FrameResult::events();
  }

  static void emit_snapshot(const Fields& fields, Book& book, std::string_view symbol, UnixNanos received,
                            EventSink& sink) {
    if (!book.has_bids || !book.has_asks) throw BadFrame{"a whole book lacks bids or asks"};
    sort_best_first(book.bids, book.asks);
    sink.on_event(
        {kProfile.exchange, symbol, UnixNanos{}, received,
         OrderBook{BookKind::Snapshot, borrow(book.bids), borrow(book.asks), fields.last_update_id}});
  }

  static FrameResult unknown_event() {
    return FrameResult::unknown_channel("an event type that Binance's document does not name");
  }

  void read_data(simdjson::ondemand::value value, Envelope& envelope, Fields& fields) {
    if (envelope.has_data || envelope.has_list) throw BadFrame{"data twice in one frame"};
    if (value.type() == json_type::array) {
      envelope.has_list = true;
      envelope.list_is_other = read_event_list(value.get_array());
      return;
    }
    if (value.type() != json_type::object) throw BadFrame{"data is neither an object nor an array"};
    envelope.has_data = true;
    for (auto member : value.get_object()) {
      read_event_member(read_key(member), member.value(), fields, wrapped_book_);
    }
  }

  // The streams of all markets send arrays; none of them is collected. True where every entry is of a
  // documented type.
  static bool read_event_list(simdjson::ondemand::array list) {
    bool known = true;
    for (auto element : list) {
      std::string_view event;
      for (auto member : element.get_object()) {
        if (read_key(member) == "e") event = read_text(member.value(), "e is not a text");
      }
      known = known && (is_other(event) || event == "24hrTicker");
    }
    return known;
  }

  static bool read_envelope_member(std::string_view key, simdjson::ondemand::value value,
                                   Envelope& envelope) {
    if (key == "stream") {
      envelope.stream = read_text(value, "stream is not a text");
    } else if (key == "id") {
      envelope.id = read_request_id(value);
    } else if (key == "result") {
      envelope.has_result = true;  // null is what success looks like
    } else if (key == "error") {
      envelope.has_error = !read_untyped(value).empty();
    } else if (key == "code") {
      envelope.has_code = value.type() == json_type::number;
    } else if (key == "msg") {
      envelope.has_message = value.type() == json_type::string;
    } else {
      return false;
    }
    return true;
  }

  static void read_event_member(std::string_view key, simdjson::ondemand::value value, Fields& fields,
                                Book& book) {
    if (key.size() == 1) {
      read_letter(key.front(), value, fields, book);
    } else if (key == "lastUpdateId") {
      fields.last_update_id = read_uint(value, "lastUpdateId is not an integer");
    } else if (key == "bids") {
      book.has_bids = read_level_pairs(value, book.bids);
    } else if (key == "asks") {
      book.has_asks = read_level_pairs(value, book.asks);
    }
  }

  static void read_letter(char letter, simdjson::ondemand::value value, Fields& fields, Book& book) {
    switch (letter) {
      case 'e':
        fields.event = read_text(value, "e is not a text");
        break;
      case 's':
        fields.symbol = read_text(value, "s is not a text");
        break;
      case 'E':
        fields.event_time = read_epoch(value, "E is not a time in ms or us");
        break;
      case 'T':
        fields.trade_time = read_epoch(value, "T is not a time in ms or us");
        break;
      case 'u':
        fields.update_id = read_uint(value, "u is not an integer");
        break;
      case 'U':
        fields.first_update_id = read_untyped(value);
        break;
      case 'm':
        fields.buyer_is_maker = read_bool(value);
        break;
      case 'a':
        read_side(value, fields.a, book.asks, book.has_asks);
        break;
      case 'b':
        read_side(value, fields.b, book.bids, book.has_bids);
        break;
      case 'c':
        fields.c = read_untyped(value);
        break;
      case 'h':
        fields.h = read_untyped(value);
        break;
      case 'l':
        fields.l = read_untyped(value);
        break;
      case 'p':
        fields.p = read_untyped(value);
        break;
      case 'q':
        fields.q = read_untyped(value);
        break;
      case 't':
        fields.t = read_untyped(value);
        break;
      case 'v':
        fields.v = read_untyped(value);
        break;
      default:
        break;
    }
  }

  static void read_side(simdjson::ondemand::value value, std::string_view& text, std::vector<Level>& levels,
                        bool& has) {
    if (value.type() == json_type::array) {
      has = read_level_pairs(value, levels);
    } else {
      text = read_untyped(value);
    }
  }

  static std::optional<bool> read_bool(simdjson::ondemand::value value) {
    bool truth = false;
    if (read_untyped(value).empty()) return std::nullopt;
    if (value.get_bool().get(truth) != simdjson::SUCCESS) throw BadFrame{"m is neither true nor false"};
    return truth;
  }

  FrameResult emit(const Fields& fields, Book& book, std::string_view stream, UnixNanos received,
                   EventSink& sink) {
    if (fields.event.empty() && fields.last_update_id)
      return emit_partial_book(fields, book, stream, received, sink);
    Event event{kProfile.exchange, fields.symbol, fields.event_time, received, Ticker{}};
    if (fields.event == "trade" || fields.event == "aggTrade") {
      event.ts = fields.trade_time;
      event.body = make_trade(fields, fields.event == "trade" ? fields.t : fields.a);
    } else if (fields.event == "depthUpdate") {
      event.body = make_delta(fields, book);
    } else if (fields.event == "24hrTicker") {
      event.body = make_ticker(fields);
    } else if (fields.event.empty() && fields.update_id) {
      event.body = make_best_price(fields);
    } else {
      return without_events(fields.event);
    }
    expect_symbol(event.symbol);
    sink.on_event(event);
    return FrameResult::events();
  }

  static FrameResult without_events(std::string_view event) {
    if (event.empty()) throw BadFrame{"neither an event nor an answer to a request"};
    if (is_other(event)) return FrameResult::other();
    if (event != "serverShutdown") return unknown_event();
    FrameResult result = FrameResult::control();
    result.reconnect = true;
    return result;
  }

  // Names no symbol: only the stream's name tells it, in lower case.
  FrameResult emit_partial_book(const Fields& fields, Book& book, std::string_view stream, UnixNanos received,
                                EventSink& sink) {
    if (stream.empty())
      throw BadFrame{"a partial book names no symbol; connect to /stream, whose frames name the stream"};
    const std::string_view name = stream.substr(0, stream.find('@'));
    expect_symbol(name);
    symbol_.resize(name.size());
    std::transform(name.begin(), name.end(), symbol_.begin(), ascii::to_upper);
    emit_snapshot(fields, book, symbol_, received, sink);
    return FrameResult::events();
  }

  static OrderBook make_delta(const Fields& fields, Book& book) {
    if (!book.has_bids || !book.has_asks) throw BadFrame{"a depth update lacks b or a"};
    if (!fields.update_id) throw BadFrame{"a depth update lacks u"};
    sort_best_first(book.bids, book.asks);
    return {BookKind::Delta, borrow(book.bids), borrow(book.asks), fields.update_id,
            uint_or_none(fields.first_update_id, "U is not an integer")};
  }

  static Trade make_trade(const Fields& fields, std::string_view id) {
    if (!fields.buyer_is_maker) throw BadFrame{"a trade lacks m"};
    const Decimal size = decimal(fields.q, "a trade's q is not a decimal number");
    if (size.front() == '-') throw BadFrame{"a trade's q is negative"};
    // The buyer was the maker: the taker sold.
    return {decimal(fields.p, "a trade's p is not a decimal number"), size,
            *fields.buyer_is_maker ? Side::Sell : Side::Buy, trade_id(id)};
  }

  static Ticker make_ticker(const Fields& fields) {
    const Ticker ticker{decimal_or_none(fields.b, "b is not a decimal number"),
                        decimal_or_none(fields.a, "a is not a decimal number"),
                        decimal_or_none(fields.c, "c is not a decimal number"),
                        decimal_or_none(fields.h, "h is not a decimal number"),
                        decimal_or_none(fields.l, "l is not a decimal number"),
                        decimal_or_none(fields.v, "v is not a decimal number")};
    if (!has_price(ticker)) throw BadFrame{"a ticker without any price"};
    return ticker;
  }

  static Ticker make_best_price(const Fields& fields) {
    return {decimal(fields.b, "b is not a decimal number"),
            decimal(fields.a, "a is not a decimal number"),
            {},
            {},
            {},
            {}};
  }

  JsonReader reader_;
  Book bare_book_, wrapped_book_;
  std::string symbol_;
};

}  // namespace

std::unique_ptr<Adapter> make_binance_adapter() { return std::make_unique<BinanceAdapter>(); }

}  // namespace mdpipe::venues

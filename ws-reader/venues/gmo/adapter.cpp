// GMO Coin, public WebSocket. Flat objects told apart by "channel"; numbers are strings; a book frame is the
// whole book. Source: https://api.coin.z.com/docs/en/#ws-public-api (read 2026-09).
#include "ws-reader/venues/adapter.hpp"

#include <fmt/format.h>

#include "libshared/json/json_string.hpp"
#include "ws-reader/venues/json_reader.hpp"

namespace mdpipe::venues {
namespace {

// No acknowledgement ever comes. Server pings arrive once a minute: two missed ones mean a dead connection.
constexpr Profile kProfile{"gmo", "wss://api.coin.z.com/ws/public/v1", std::chrono::milliseconds(1050), true,
                           std::chrono::seconds(130)};

std::string_view channel_name(EventType type) {
  switch (type) {
    case EventType::Ticker:
      return "ticker";
    case EventType::Trade:
      return "trades";
    case EventType::OrderBook:
      return "orderbooks";
    case EventType::Feed:  // ours, no channel of an exchange
      break;
  }
  return {};
}

Side read_side(std::string_view text) {
  if (text == "BUY") return Side::Buy;
  if (text == "SELL") return Side::Sell;
  throw BadFrame{"side is neither BUY nor SELL"};
}

class GmoAdapter final : public Adapter {
 public:
  [[nodiscard]] const Profile& profile() const override { return kProfile; }

  [[nodiscard]] std::vector<Request> subscribe(const std::vector<Subscription>& subscriptions,
                                               std::uint64_t) const override {
    std::vector<Request> requests;
    requests.reserve(subscriptions.size());
    for (const Subscription& wanted : subscriptions) {
      std::string symbol;
      append_json_string(wanted.symbol, symbol);
      // TAKER_ONLY: without it every execution comes twice, once for each party.
      const std::string_view option = wanted.channel == EventType::Trade ? R"(,"option":"TAKER_ONLY")" : "";
      requests.push_back({fmt::format(R"({{"command":"subscribe","channel":"{}","symbol":{}{}}})",
                                      channel_name(wanted.channel), symbol, option),
                          std::nullopt});
    }
    return requests;
  }

  // Without the option: an unsubscription names channel and symbol alone.
  [[nodiscard]] std::vector<Request> unsubscribe(const std::vector<Subscription>& subscriptions,
                                                 std::uint64_t) const override {
    std::vector<Request> requests;
    requests.reserve(subscriptions.size());
    for (const Subscription& unwanted : subscriptions) {
      std::string symbol;
      append_json_string(unwanted.symbol, symbol);
      requests.push_back({fmt::format(R"({{"command":"unsubscribe","channel":"{}","symbol":{}}})",
                                      channel_name(unwanted.channel), symbol),
                          std::nullopt});
    }
    return requests;
  }

  FrameResult on_frame(std::string_view frame, UnixNanos received, EventSink& sink) override {
    return reject_bad_frames([&] { return read(frame, received, sink); });
  }

 private:
  // The fields of all channels together; which of them must be there depends on the channel.
  struct Fields {
    std::string_view channel, symbol, timestamp, side, error;
    Decimal price, size;
    Ticker ticker;
    bool has_bids = false, has_asks = false;
  };

  FrameResult read(std::string_view frame, UnixNanos received, EventSink& sink) {
    auto& document = reader_.read(frame);
    Fields fields;
    for (auto member : document.get_object()) read_member(read_key(member), member.value(), fields);
    expect_end(document);
    if (!fields.error.empty()) return read_error(fields.error);
    if (fields.channel.empty()) throw BadFrame{"no channel"};
    return emit(fields, received, sink);
  }

  // "ERR-5003 Request too many.": the frame does not say which request, so it is the last one sent.
  static FrameResult read_error(std::string_view error) {
    FrameResult result = FrameResult::api_error();
    result.rate_limited = error.substr(0, 8) == "ERR-5003";
    return result;
  }

  void read_member(std::string_view key, simdjson::ondemand::value value, Fields& fields) {
    if (key == "channel") {
      fields.channel = read_text(value, "channel is not a text");
    } else if (key == "symbol") {
      fields.symbol = read_text(value, "symbol is not a text");
    } else if (key == "timestamp") {
      fields.timestamp = read_text(value, "timestamp is not a text");
    } else if (key == "price") {
      fields.price = read_decimal(value, "price is not a decimal number");
    } else if (key == "size") {
      fields.size = read_size(value, "size is not a decimal number of 0 or more");
    } else if (key == "side") {
      fields.side = read_text(value, "side is not a text");
    } else if (key == "bids") {
      fields.has_bids = read_level_objects(value, bids_);
    } else if (key == "asks") {
      fields.has_asks = read_level_objects(value, asks_);
    } else if (key == "error") {
      fields.error = read_text(value, "error is not a text");
    } else {
      read_ticker_member(key, value, fields.ticker);
    }
  }

  static void read_ticker_member(std::string_view key, simdjson::ondemand::value value, Ticker& ticker) {
    if (key == "bid") {
      ticker.bid = read_decimal(value, "bid is not a decimal number");
    } else if (key == "ask") {
      ticker.ask = read_decimal(value, "ask is not a decimal number");
    } else if (key == "last") {
      ticker.last = read_decimal(value, "last is not a decimal number");
    } else if (key == "high") {
      ticker.high = read_decimal(value, "high is not a decimal number");
    } else if (key == "low") {
      ticker.low = read_decimal(value, "low is not a decimal number");
    } else if (key == "volume") {
      ticker.volume = read_decimal(value, "volume is not a decimal number");
    }
  }

  FrameResult emit(const Fields& fields, UnixNanos received, EventSink& sink) {
    const bool known =
        fields.channel == "ticker" || fields.channel == "trades" || fields.channel == "orderbooks";
    if (!known) return FrameResult::unknown_channel("a channel that GMO Coin's document does not name");
    expect_symbol(fields.symbol);
    Event event{kProfile.exchange, fields.symbol, iso8601_or_none(fields.timestamp), received, Ticker{}};
    if (fields.channel == "ticker") {
      if (!has_price(fields.ticker)) throw BadFrame{"a ticker without any price"};
      event.body = fields.ticker;
    } else if (fields.channel == "trades") {
      if (fields.price.empty() || fields.size.empty()) throw BadFrame{"a trade lacks its price or size"};
      event.body = Trade{fields.price, fields.size, read_side(fields.side), {}};
    } else {
      // A frame replaces the whole book, so a missing side must not pass for an empty one.
      if (!fields.has_bids || !fields.has_asks) throw BadFrame{"an order book lacks bids or asks"};
      sort_best_first(bids_, asks_);
      event.body = OrderBook{BookKind::Snapshot, borrow(bids_), borrow(asks_), std::nullopt};
    }
    sink.on_event(event);
    return FrameResult::events();
  }

  JsonReader reader_;
  std::vector<Level> bids_, asks_;
};

}  // namespace

std::unique_ptr<Adapter> make_gmo_adapter() { return std::make_unique<GmoAdapter>(); }

}  // namespace mdpipe::venues

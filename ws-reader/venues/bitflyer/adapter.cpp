// bitFlyer Lightning, JSON-RPC 2.0 over WebSocket. Numbers are JSON numbers, kept as their text. Book frames
// carry no time and no number; snapshots and deltas are two channels. Sources:
// https://bf-lightning-api.readme.io/docs/realtime-api, /docs/endpoint-json-rpc, /docs/realtime-board (read
// 2026-09).
#include "ws-reader/venues/adapter.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "libshared/event/decimal.hpp"
#include "libshared/json/json_string.hpp"
#include "libshared/text/ascii.hpp"
#include "ws-reader/venues/json_reader.hpp"

namespace mdpipe::venues {
namespace {

// The server pings every 15 s: three missed ones mean a dead connection. No request limit is published.
constexpr Profile kProfile{"bitflyer",
                           "wss://ws.lightstream.bitflyer.com/json-rpc",
                           std::chrono::milliseconds(50),
                           false,
                           std::chrono::seconds(45),
                           BookRecipe::SnapshotChannel};

constexpr std::string_view kTicker = "lightning_ticker_";
constexpr std::string_view kExecutions = "lightning_executions_";
constexpr std::string_view kBoardSnapshot =
    "lightning_board_snapshot_";  // to be tried before kBoard, its prefix
constexpr std::string_view kBoard = "lightning_board_";

std::vector<std::string_view> channels_of(EventType type) {
  switch (type) {
    case EventType::Ticker:
      return {kTicker};
    case EventType::Trade:
      return {kExecutions};
    case EventType::OrderBook:
      return {kBoardSnapshot, kBoard};  // deltas alone never make a book
    case EventType::Feed:               // ours, no channel of an exchange
      break;
  }
  return {};
}

// Empty for trades of an Itayose auction, which have no taker.
Side read_side(std::string_view text) {
  if (text == "BUY") return Side::Buy;
  if (text == "SELL") return Side::Sell;
  if (text.empty()) return Side::None;
  throw BadFrame{"side is neither BUY nor SELL nor empty"};
}

// An answer to a request: {"id":2,"result":true} or {"id":2,"error":{..}}.
struct Reply {
  bool has_result = false, has_error = false;
  std::optional<std::uint64_t> id;

  bool read_member(std::string_view key, simdjson::ondemand::value value) {
    if (key == "id") {
      id = read_request_id(value);
    } else if (key == "result") {
      has_result = true;
    } else if (key == "error") {
      has_error = !read_untyped(value).empty();
    } else {
      return false;
    }
    return true;
  }
};

class BitflyerAdapter final : public Adapter {
 public:
  [[nodiscard]] const Profile& profile() const override { return kProfile; }

  [[nodiscard]] std::vector<Request> subscribe(const std::vector<Subscription>& subscriptions,
                                               std::uint64_t first_id) const override {
    return calls("subscribe", subscriptions, first_id);
  }

  [[nodiscard]] std::vector<Request> unsubscribe(const std::vector<Subscription>& subscriptions,
                                                 std::uint64_t first_id) const override {
    return calls("unsubscribe", subscriptions, first_id);
  }

  FrameResult on_frame(std::string_view frame, UnixNanos received, EventSink& sink) override {
    return reject_bad_frames([&] { return read(frame, received, sink); });
  }

 private:
  static std::vector<Request> calls(std::string_view method, const std::vector<Subscription>& subscriptions,
                                    std::uint64_t first_id) {
    std::vector<Request> requests;
    for (const Subscription& wanted : subscriptions) {
      for (const std::string_view channel : channels_of(wanted.channel)) {
        const std::uint64_t id = first_id + requests.size();
        std::string name;
        append_json_string(std::string(channel) + wanted.symbol, name);
        requests.push_back(
            {fmt::format(R"({{"jsonrpc":"2.0","method":"{}","params":{{"channel":{}}},"id":{}}})", method,
                         name, id),
             id});
      }
    }
    return requests;
  }

  struct Execution {
    Trade trade;
    UnixNanos ts;
  };

  // The fields of all messages together: `message` may stand before the `channel` that says what it is. An
  // array is executions, an object is a ticker or a book.
  struct Fields {
    Reply reply;
    std::string_view method, channel, timestamp;
    Ticker ticker;
    Decimal mid_price;
    bool has_message = false, has_executions = false, has_bids = false, has_asks = false;
  };

  FrameResult read(std::string_view frame, UnixNanos received, EventSink& sink) {
    auto& document = reader_.read(frame);
    executions_.clear();
    if (document.type() == simdjson::ondemand::json_type::array) return read_batch_reply(document);
    Fields fields;
    for (auto member : document.get_object()) read_member(read_key(member), member.value(), fields);
    expect_end(document);
    if (fields.reply.has_error) return FrameResult::api_error(fields.reply.id);
    if (fields.reply.has_result) return FrameResult::control(fields.reply.id);
    if (fields.method.empty()) throw BadFrame{"no method and no result"};
    if (fields.method != "channelMessage")
      return FrameResult::unknown_channel("a method other than channelMessage");
    if (fields.channel.empty()) throw BadFrame{"no channel"};
    return emit(fields, received, sink);
  }

  // The answers to several calls sent as one message. Which of them failed is theirs to say by id; we send no
  // batches.
  static FrameResult read_batch_reply(simdjson::ondemand::document& document) {
    bool any = false;
    bool failed = false;
    for (auto element : document.get_array()) {
      Reply reply;
      for (auto member : element.get_object()) reply.read_member(read_key(member), member.value());
      if (!reply.has_result && !reply.has_error)
        throw BadFrame{"an array holds something that is no JSON-RPC reply"};
      any = true;
      failed = failed || reply.has_error;
    }
    expect_end(document);
    if (!any) throw BadFrame{"an empty array"};
    return failed ? FrameResult::api_error() : FrameResult::control();
  }

  void read_member(std::string_view key, simdjson::ondemand::value value, Fields& fields) {
    if (key == "params") {
      if (value.type() != simdjson::ondemand::json_type::object) throw BadFrame{"params is not an object"};
      for (auto member : value.get_object()) read_param(read_key(member), member.value(), fields);
    } else if (key == "method") {
      fields.method = read_text(value, "method is not a text");
    } else {
      fields.reply.read_member(key, value);
    }
  }

  void read_param(std::string_view key, simdjson::ondemand::value value, Fields& fields) {
    if (key == "channel") {
      fields.channel = read_text(value, "channel is not a text");
    } else if (key == "message") {
      read_message(value, fields);
    }
  }

  void read_message(simdjson::ondemand::value value, Fields& fields) {
    if (fields.has_message) throw BadFrame{"two messages in one frame"};
    fields.has_message = true;
    switch (value.type()) {
      case simdjson::ondemand::json_type::array:
        fields.has_executions = true;
        for (auto element : value.get_array()) executions_.push_back(read_execution(element.get_object()));
        break;
      case simdjson::ondemand::json_type::object:
        for (auto member : value.get_object()) read_message_member(read_key(member), member.value(), fields);
        break;
      default:
        throw BadFrame{"message is neither an array nor an object"};
    }
  }

  void read_message_member(std::string_view key, simdjson::ondemand::value value, Fields& fields) {
    if (key == "bids") {
      fields.has_bids = read_level_objects(value, bids_);
    } else if (key == "asks") {
      fields.has_asks = read_level_objects(value, asks_);
    } else if (key == "mid_price") {
      fields.mid_price = read_decimal(value, "mid_price is not a decimal number");
    } else if (key == "timestamp") {
      fields.timestamp = read_text(value, "timestamp is not a text");
    } else if (key == "best_bid") {
      fields.ticker.bid = read_decimal(value, "best_bid is not a decimal number");
    } else if (key == "best_ask") {
      fields.ticker.ask = read_decimal(value, "best_ask is not a decimal number");
    } else if (key == "ltp") {
      fields.ticker.last = read_decimal(value, "ltp is not a decimal number");
    } else if (key == "volume") {
      fields.ticker.volume = read_decimal(value, "volume is not a decimal number");
    }
  }

  static Execution read_execution(simdjson::ondemand::object object) {
    Execution execution;
    for (auto member : object) {
      const std::string_view key = read_key(member);
      if (key == "price") {
        execution.trade.price = read_decimal(member.value(), "an execution's price is not a decimal number");
      } else if (key == "size") {
        execution.trade.size =
            read_size(member.value(), "an execution's size is not a decimal number of 0 or more");
      } else if (key == "side") {
        execution.trade.side = read_side(read_text(member.value(), "an execution's side is not a text"));
      } else if (key == "id") {
        execution.trade.id = read_id(member.value(), "an execution's id is neither an integer nor a text");
      } else if (key == "exec_date") {
        execution.ts = iso8601_or_none(read_text(member.value(), "exec_date is not a text"));
      }
    }
    if (execution.trade.price.empty() || execution.trade.size.empty())
      throw BadFrame{"an execution lacks its price or size"};
    return execution;
  }

  FrameResult emit(const Fields& fields, UnixNanos received, EventSink& sink) {
    Event event{kProfile.exchange, fields.channel, UnixNanos{}, received, Ticker{}};
    std::string_view& symbol = event.symbol;
    if (ascii::take_prefix(symbol, kTicker)) {
      expect_symbol(symbol);
      if (!has_price(fields.ticker)) throw BadFrame{"a ticker without any price"};
      event.ts = iso8601_or_none(fields.timestamp);
      event.body = fields.ticker;
      sink.on_event(event);
    } else if (ascii::take_prefix(symbol, kExecutions)) {
      expect_symbol(symbol);
      if (!fields.has_executions) throw BadFrame{"executions without an array of them"};
      emit_executions(event, sink);
    } else if (ascii::take_prefix(symbol, kBoardSnapshot)) {
      expect_symbol(symbol);
      // A snapshot replaces the book, so a missing side must not pass for an empty one.
      if (!fields.has_bids || !fields.has_asks) throw BadFrame{"a board snapshot lacks bids or asks"};
      emit_book(BookKind::Snapshot, fields, event, sink);
    } else if (ascii::take_prefix(symbol, kBoard)) {
      expect_symbol(symbol);
      if (!fields.has_bids && !fields.has_asks) throw BadFrame{"a board has neither bids nor asks"};
      emit_book(BookKind::Delta, fields, event, sink);
    } else {
      return FrameResult::unknown_channel("a channel that bitFlyer's document does not name");
    }
    return FrameResult::events();
  }

  void emit_executions(Event& event, EventSink& sink) {
    for (const Execution& execution : executions_) {
      event.ts = execution.ts;
      event.body = execution.trade;
      sink.on_event(event);
    }
  }

  void emit_book(BookKind kind, const Fields& fields, Event& event, EventSink& sink) {
    if (!fields.has_bids) bids_.clear();
    if (!fields.has_asks) asks_.clear();
    drop_market_orders(bids_);
    drop_market_orders(asks_);
    sort_best_first(bids_, asks_);
    event.body = OrderBook{kind, borrow(bids_), borrow(asks_), std::nullopt, std::nullopt, fields.mid_price};
    sink.on_event(event);
  }

  // A level of price 0 stands for market orders waiting for an Itayose auction; it is no level of the book.
  static void drop_market_orders(std::vector<Level>& levels) {
    const auto is_market = [](const Level& level) { return is_zero(level.price); };
    levels.erase(std::remove_if(levels.begin(), levels.end(), is_market), levels.end());
  }

  JsonReader reader_;
  std::vector<Level> bids_, asks_;
  std::vector<Execution> executions_;
};

}  // namespace

std::unique_ptr<Adapter> make_bitflyer_adapter() { return std::make_unique<BitflyerAdapter>(); }

}  // namespace mdpipe::venues

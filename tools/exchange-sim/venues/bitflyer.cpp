#include "tools/exchange-sim/venues/bitflyer.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <utility>

#include "tools/exchange-sim/frame_text.hpp"

namespace mdpipe::sim {
namespace {

struct ChannelPrefix {
  std::string_view prefix;
  Kind kind;
};

// The longer prefix first: every board_snapshot channel also begins like a board channel.
constexpr ChannelPrefix kPrefixes[] = {
    {"lightning_ticker_", Kind::Ticker},
    {"lightning_executions_", Kind::Trade},
    {"lightning_board_snapshot_", Kind::TimedSnapshot},
    {"lightning_board_", Kind::Book},
};

std::string error_answer(std::string_view id, int code, std::string_view message) {
  return fmt::format(R"({{"jsonrpc":"2.0","id":{},"error":{{"code":{},"message":"{}"}}}})", id, code,
                     message);
}

// JSON numbers with at least one decimal, as the exchange writes them: 13633748.0, 0.03, 0.0.
void append_price(std::int64_t units, const SymbolSpec& spec, std::string& out) {
  append_decimal(units, {spec.price_decimals, 1}, out);
}
void append_size(std::int64_t units, const SymbolSpec& spec, std::string& out) {
  append_decimal(units, {spec.size_decimals, 1}, out);
}
std::string price_text(std::int64_t units, const SymbolSpec& spec) {
  return decimal_text(units, {spec.price_decimals, 1});
}
std::string size_text(std::int64_t units, const SymbolSpec& spec) {
  return decimal_text(units, {spec.size_decimals, 1});
}

// Rounded down to the price's unit, as the exchange does.
std::string mid_price_of(std::int64_t bid, std::int64_t ask, const SymbolSpec& spec) {
  return price_text((bid + ask) / 2, spec);
}
std::string mid_price(const Market& market) {
  return mid_price_of(market.best_bid(), market.best_ask(), market.spec());
}

// The mid price is the first in the message.
void replace_mid_price(std::string_view mid, std::string& frame) {
  constexpr std::string_view kKey = R"("mid_price":)";
  const std::size_t found = frame.find(kKey);
  if (found == std::string::npos) return;
  const std::size_t at = found + kKey.size();
  frame.replace(at, frame.find(',', at) - at, mid);
}

void append_level(std::int64_t price, std::int64_t size, const SymbolSpec& spec, std::string& out) {
  out += out.back() == '[' ? R"({"price":)" : R"(,{"price":)";
  append_price(price, spec, out);
  out += R"(,"size":)";
  append_size(size, spec, out);
  out += '}';
}

std::string message_start(const Stream& stream) {
  return fmt::format(R"({{"jsonrpc":"2.0","method":"channelMessage","params":{{"channel":"{}","message":)",
                     stream.name);
}

std::string snapshot_frame(const Stream& stream, const Market& market) {
  std::string out = message_start(stream);
  out += fmt::format(R"({{"mid_price":{},"bids":[)", mid_price(market));
  for (const auto& [price, size] : market.bids()) append_level(price, size, market.spec(), out);
  out += R"(],"asks":[)";
  for (const auto& [price, size] : market.asks()) append_level(price, size, market.spec(), out);
  return out + "]}}}";
}

// Deltas are unordered: one side begins at the far end, the other one alternates.
std::string delta_frame(const Stream& stream, const Market& market, const BookChanges& changes) {
  std::string out = message_start(stream);
  out += fmt::format(R"({{"mid_price":{},"bids":[)", mid_price(market));
  const auto append_unordered = [&](const std::vector<Level>& levels) {
    const std::size_t half = levels.size() / 2;
    for (std::size_t i = 0; i < levels.size(); ++i) {
      const Level& level = levels[(i + half) % levels.size()];
      append_level(level.price, level.size, market.spec(), out);
    }
  };
  append_unordered(changes.bids);
  out += R"(],"asks":[)";
  append_unordered(changes.asks);
  return out + "]}}}";
}

template <typename Side>
std::int64_t depth_of(const Side& side) {
  std::int64_t sum = 0;
  for (const auto& entry : side) sum += entry.second;
  return sum;
}

std::string ticker_frame(const Stream& stream, const Market& market, UnixNanos time) {
  const SymbolSpec& spec = market.spec();
  const DayNumbers& day = market.day();
  // The exchange pads its volumes with zeros to twelve decimals.
  const std::string volume = decimal_text(day.volume, {spec.size_decimals, 12});
  return message_start(stream) +
         fmt::format(
             R"({{"product_code":"{}","state":"RUNNING","timestamp":"{}","tick_id":{},"best_bid":{},"best_ask":{},)"
             R"("best_bid_size":{},"best_ask_size":{},"total_bid_depth":{},"total_ask_depth":{},"market_bid_size":0.0,)"
             R"("market_ask_size":0.0,"ltp":{},"volume":{},"volume_by_product":{},"preopen_end":null,)"
             R"("circuit_break_end":null}}}}}})",
             spec.name, iso_ticks(time), market.day().ticks, price_text(market.best_bid(), spec),
             price_text(market.best_ask(), spec), size_text(market.bids().begin()->second, spec),
             size_text(market.asks().begin()->second, spec), size_text(depth_of(market.bids()), spec),
             size_text(depth_of(market.asks()), spec), price_text(day.last, spec), volume, volume);
}

// "JRF20260923-033125-086253": the exchange's form of an order's acceptance id.
std::string acceptance_id(UnixNanos time, std::uint64_t number) {
  const std::string iso = iso_millis(time);
  return fmt::format("JRF{}{}{}-{}{}{}-{:06}", iso.substr(0, 4), iso.substr(5, 2), iso.substr(8, 2),
                     iso.substr(11, 2), iso.substr(14, 2), iso.substr(17, 2), number % 1'000'000);
}

std::string executions_frame(const Stream& stream, const Market& market, const MarketEvent& event) {
  const SymbolSpec& spec = market.spec();
  std::string out = message_start(stream) + "[";
  // One taker order that sweeps: its acceptance id is the same in all entries.
  const std::string taker = acceptance_id(event.time, event.trades.front().id * 2);
  for (const Trade& trade : event.trades) {
    const std::string maker = acceptance_id(event.time, trade.id * 2 + 1);
    out += out.back() == '[' ? "" : ",";
    out += fmt::format(
        R"({{"id":{},"side":"{}","price":{},"size":{},"exec_date":"{}","buy_child_order_acceptance_id":"{}",)"
        R"("sell_child_order_acceptance_id":"{}"}})",
        trade.id, trade.is_buy ? "BUY" : "SELL", price_text(trade.price, spec), size_text(trade.size, spec),
        iso_ticks(event.time), trade.is_buy ? taker : maker, trade.is_buy ? maker : taker);
  }
  return out + "]}}";
}

struct Call {
  std::string_view method, channel;
  std::string id;  // raw JSON; empty: a notification
};

Call read_call(const simdjson::dom::element& element) {
  Call call;
  simdjson::dom::element id;
  if (element["id"].get(id) == simdjson::SUCCESS) call.id = simdjson::minify(id);
  if (element["method"].get(call.method) != simdjson::SUCCESS) call.method = {};
  if (element["params"]["channel"].get(call.channel) != simdjson::SUCCESS) call.channel = {};
  return call;
}

}  // namespace

std::optional<Stream> Bitflyer::stream_of(std::string_view channel) const {
  for (const ChannelPrefix& known : kPrefixes) {
    if (channel.substr(0, known.prefix.size()) != known.prefix || channel.size() == known.prefix.size())
      continue;
    Stream stream;
    stream.key = stream.name = std::string(channel);
    stream.kind = known.kind;
    const auto found = std::find(symbols_.begin(), symbols_.end(), channel.substr(known.prefix.size()));
    if (found != symbols_.end()) stream.symbol = static_cast<std::size_t>(found - symbols_.begin());
    return stream;
  }
  return std::nullopt;
}

void Bitflyer::call(Session& session, std::string_view method, std::string_view channel,
                    const std::string& id, std::vector<std::string>& answers) const {
  const auto answer = [&](std::string text) {
    if (!id.empty()) answers.push_back(std::move(text));
  };
  if (method != "subscribe" && method != "unsubscribe")
    return answer(error_answer(id, -32601, "Method not found"));
  const auto stream = stream_of(channel);
  if (!stream) return answer(error_answer(id, -32602, "invalid channel"));
  const bool is_subscribed = session.find(stream->key) != nullptr;
  if (method == "unsubscribe") {
    session.drop(stream->key);
  } else {
    if (is_subscribed) return answer(error_answer(id, -32009, "already subscribed"));
    if (session.streams.size() >= Session::kStreamsMax)
      return answer(error_answer(id, -32602, "invalid channel"));
    session.streams.push_back(*stream);
  }
  answer(fmt::format(R"({{"jsonrpc":"2.0","id":{},"result":true}})", id));
}

Reply Bitflyer::on_text(Session& session, std::string_view text, SteadyTime) {
  simdjson::dom::parser parser;
  simdjson::dom::element request;
  if (parser.parse(text.data(), text.size()).get(request) != simdjson::SUCCESS) {
    return {{error_answer("null", -32700, "Parse error")}, {}};
  }
  std::vector<std::string> answers;
  simdjson::dom::array batch;
  if (request.get(batch) != simdjson::SUCCESS) {
    if (!request.is_object()) return {{error_answer("null", -32600, "Invalid Request")}, {}};
    const Call one = read_call(request);
    call(session, one.method, one.channel, one.id, answers);
    return {std::move(answers), {}};
  }
  if (batch.size() == 0) return {{error_answer("null", -32600, "Invalid Request")}, {}};
  for (const simdjson::dom::element element : batch) {
    const Call one = read_call(element);
    call(session, one.method, one.channel, one.id, answers);
  }
  if (answers.empty()) return {};
  return {{fmt::format("[{}]", fmt::join(answers, ","))}, {}};
}

void Bitflyer::render(const Stream& stream, const Market& market, const MarketEvent& event,
                      std::vector<std::string>& frames) const {
  switch (event.kind) {
    case Kind::Book:
      frames.push_back(delta_frame(stream, market, event.changes));
      break;
    case Kind::TimedSnapshot:
      frames.push_back(snapshot_frame(stream, market));
      break;
    case Kind::Ticker:
      frames.push_back(ticker_frame(stream, market, event.time));
      break;
    case Kind::Trade:
      frames.push_back(executions_frame(stream, market, event));
      break;
    case Kind::Quote:
      break;
  }
}

void Bitflyer::cross_book(const Market& market, std::string& frame) const {
  const std::int64_t bid = market.best_ask() + market.spec().tick;
  insert_first(R"("bids":[)", fmt::format(R"({{"price":{},"size":1.0}})", price_text(bid, market.spec())),
               frame);
  replace_mid_price(mid_price_of(bid, market.best_ask(), market.spec()), frame);
}

bool Bitflyer::spoil_mid_price(const Market& market, std::string& frame) const {
  const std::int64_t up = 2 * market.spec().tick;
  replace_mid_price(mid_price_of(market.best_bid(), market.best_ask() + up, market.spec()), frame);
  return true;
}

std::string Bitflyer::unknown_channel_frame() const {
  return R"({"jsonrpc":"2.0","method":"channelMessage","params":{"channel":"lightning_surprises_BTC_JPY","message":{"value":1}}})";
}

}  // namespace mdpipe::sim

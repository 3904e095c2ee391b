#include "tools/exchange-sim/venues/gmo.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <utility>

#include "tools/exchange-sim/frame_text.hpp"

namespace mdpipe::sim {
namespace {

constexpr std::size_t kBookLevels = 30;
constexpr std::string_view kTakerOnly = "TAKER_ONLY";

enum Variant { kPlain = 0, kTakerRowOnly = 1 };

std::string bad_parameter(std::string_view name) {
  return fmt::format(R"({{"error":"ERR-5106 Invalid request parameter.{}{}"}})", name.empty() ? "" : " ",
                     name);
}

std::string_view text_of(const simdjson::dom::object& object, std::string_view key) {
  std::string_view text;
  return object[key].get(text) == simdjson::SUCCESS ? text : std::string_view();
}

std::optional<Kind> kind_of(std::string_view channel) {
  if (channel == "ticker") return Kind::Ticker;
  if (channel == "orderbooks") return Kind::Book;
  if (channel == "trades") return Kind::Trade;
  return std::nullopt;
}

DecimalStyle price_style(const SymbolSpec& spec) { return {spec.price_decimals, 0}; }
DecimalStyle size_style(const SymbolSpec& spec) { return {spec.size_decimals, 0}; }
// A trade's size keeps all digits, because they contain the trade's number.
DecimalStyle trade_size_style(const SymbolSpec& spec) { return {spec.size_decimals, spec.size_decimals}; }

template <typename Side>
void append_side(const Side& side, const SymbolSpec& spec, std::string& out) {
  std::size_t count = 0;
  for (const auto& [price, size] : side) {
    if (count == kBookLevels) break;
    out += count++ == 0 ? R"({"price":")" : R"(,{"price":")";
    append_decimal(price, price_style(spec), out);
    out += R"(","size":")";
    append_decimal(size, size_style(spec), out);
    out += R"("})";
  }
}

std::string book_frame(const Market& market, UnixNanos time) {
  std::string out = R"({"channel":"orderbooks","asks":[)";
  append_side(market.asks(), market.spec(), out);
  out += R"(],"bids":[)";
  append_side(market.bids(), market.spec(), out);
  out += fmt::format(R"(],"symbol":"{}","timestamp":"{}","grouping":"1"}})", market.spec().name,
                     iso_millis(time));
  return out;
}

std::string ticker_frame(const Market& market, UnixNanos time) {
  const SymbolSpec& spec = market.spec();
  const auto price = [&spec](std::int64_t units) { return decimal_text(units, price_style(spec)); };
  const DayNumbers& day = market.day();
  return fmt::format(
      R"({{"channel":"ticker","ask":"{}","bid":"{}","high":"{}","last":"{}","low":"{}","symbol":"{}","timestamp":"{}","volume":"{}"}})",
      price(market.best_ask()), price(market.best_bid()), price(day.high), price(day.last), price(day.low),
      spec.name, iso_millis(time), decimal_text(day.volume, size_style(spec)));
}

std::string trade_frame(const Market& market, const Trade& trade, bool buy_row, UnixNanos time) {
  const SymbolSpec& spec = market.spec();
  return fmt::format(
      R"({{"channel":"trades","price":"{}","side":"{}","size":"{}","timestamp":"{}","symbol":"{}"}})",
      decimal_text(trade.price, price_style(spec)), buy_row ? "BUY" : "SELL",
      decimal_text(trade.size, trade_size_style(spec)), iso_millis(time), spec.name);
}

}  // namespace

Reply Gmo::on_text(Session& session, std::string_view text, SteadyTime now) {
  if (!limits_.admit(session.address, now)) return {{R"({"error":"ERR-5003 Request too many."})"}, {}};

  simdjson::dom::parser parser;
  simdjson::dom::object request;
  if (parser.parse(text.data(), text.size()).get(request) != simdjson::SUCCESS)
    return {{bad_parameter("")}, {}};

  const std::string_view command = text_of(request, "command");
  if (command != "subscribe" && command != "unsubscribe") return {{bad_parameter("command")}, {}};
  const std::string_view channel = text_of(request, "channel");
  const auto kind = kind_of(channel);
  if (!kind) return {{bad_parameter("channel")}, {}};
  const std::string_view symbol = text_of(request, "symbol");
  const auto known = std::find(symbols_.begin(), symbols_.end(), symbol);
  if (known == symbols_.end()) return {{bad_parameter("symbol")}, {}};
  const std::string_view option = text_of(request, "option");
  if (!option.empty() && (option != kTakerOnly || *kind != Kind::Trade))
    return {{bad_parameter("option")}, {}};

  Stream stream;
  stream.name = fmt::format("{}:{}", channel, symbol);
  stream.symbol = static_cast<std::size_t>(known - symbols_.begin());
  stream.kind = *kind;
  stream.variant = option == kTakerOnly ? kTakerRowOnly : kPlain;
  stream.key = stream.name + (stream.variant == kTakerRowOnly ? ":TAKER_ONLY" : "");
  if (command == "subscribe" && session.find(stream.key) != nullptr) return {};
  // For trades the latest request decides between plain and TAKER_ONLY.
  session.drop(stream.name);
  session.drop(stream.name + ":TAKER_ONLY");
  if (command == "subscribe" && session.streams.size() < Session::kStreamsMax)
    session.streams.push_back(stream);
  return {};
}

void Gmo::render(const Stream& stream, const Market& market, const MarketEvent& event,
                 std::vector<std::string>& frames) const {
  switch (event.kind) {
    case Kind::Book:
      frames.push_back(book_frame(market, event.time));
      break;
    case Kind::Ticker:
      frames.push_back(ticker_frame(market, event.time));
      break;
    case Kind::Trade:
      for (const Trade& trade : event.trades) {
        frames.push_back(trade_frame(market, trade, trade.is_buy, event.time));
        if (stream.variant == kPlain) frames.push_back(trade_frame(market, trade, !trade.is_buy, event.time));
      }
      break;
    case Kind::Quote:
    case Kind::TimedSnapshot:
      break;
  }
}

void Gmo::cross_book(const Market& market, std::string& frame) const {
  const std::string price = decimal_text(market.best_ask() + market.spec().tick, price_style(market.spec()));
  insert_first(R"("bids":[)", fmt::format(R"({{"price":"{}","size":"1"}})", price), frame);
}

std::string Gmo::unknown_channel_frame() const {
  return R"({"channel":"surprises","symbol":"BTC_JPY","value":"1"})";
}

}  // namespace mdpipe::sim

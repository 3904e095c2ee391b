#include "tools/exchange-sim/venues/binance_frames.hpp"

#include <fmt/format.h>

#include "tools/exchange-sim/frame_text.hpp"

namespace mdpipe::sim::binance {
namespace {

constexpr StreamType kTypes[] = {
    {"ticker", Form::Ticker, Kind::Ticker}, {"bookTicker", Form::BookTicker, Kind::Quote},
    {"trade", Form::Trade, Kind::Trade},    {"aggTrade", Form::AggTrade, Kind::Trade},
    {"depth", Form::Depth, Kind::Book},     {"depth@100ms", Form::Depth, Kind::Book},
    {"depth5", Form::Depth5, Kind::Book},   {"depth5@100ms", Form::Depth5, Kind::Book},
    {"depth10", Form::Depth10, Kind::Book}, {"depth10@100ms", Form::Depth10, Kind::Book},
    {"depth20", Form::Depth20, Kind::Book}, {"depth20@100ms", Form::Depth20, Kind::Book},
};

constexpr int kMicrosBit = 0x100;
constexpr int kShownDecimals = 8;

std::string price_text(const Market& market, std::int64_t units) {
  return decimal_text(units, {market.spec().price_decimals, kShownDecimals});
}
std::string size_text(const Market& market, std::int64_t units) {
  return decimal_text(units, {market.spec().size_decimals, kShownDecimals});
}

void append_level(const Market& market, std::int64_t price, std::int64_t size, std::string& out) {
  out += out.back() == '[' ? R"([")" : R"(,[")";
  append_decimal(price, {market.spec().price_decimals, kShownDecimals}, out);
  out += R"(",")";
  append_decimal(size, {market.spec().size_decimals, kShownDecimals}, out);
  out += R"("])";
}

std::string depth_frame(const Market& market, const BookChanges& changes, std::int64_t time) {
  std::string out = fmt::format(R"({{"e":"depthUpdate","E":{},"s":"{}","U":{},"u":{},"b":[)", time,
                                market.spec().name, changes.first_id, changes.last_id);
  for (const Level& level : changes.bids) append_level(market, level.price, level.size, out);
  out += R"(],"a":[)";
  for (const Level& level : changes.asks) append_level(market, level.price, level.size, out);
  return out + "]}";
}

std::string trade_frame(const Market& market, const Trade& trade, std::int64_t time) {
  return fmt::format(R"({{"e":"trade","E":{},"s":"{}","t":{},"p":"{}","q":"{}","T":{},"m":{},"M":true}})",
                     time, market.spec().name, trade.id, price_text(market, trade.price),
                     size_text(market, trade.size), time, !trade.is_buy);
}

std::string agg_trade_frame(const Market& market, const Trade& trade, std::int64_t time) {
  return fmt::format(
      R"({{"e":"aggTrade","E":{},"s":"{}","a":{},"p":"{}","q":"{}","f":{},"l":{},"T":{},"m":{},"M":true}})",
      time, market.spec().name, trade.number, price_text(market, trade.price), size_text(market, trade.size),
      trade.id, trade.id, time, !trade.is_buy);
}

std::string book_ticker_frame(const Market& market) {
  return fmt::format(R"({{"u":{},"s":"{}","b":"{}","B":"{}","a":"{}","A":"{}"}})", market.update_id(),
                     market.spec().name, price_text(market, market.best_bid()),
                     size_text(market, market.bids().begin()->second), price_text(market, market.best_ask()),
                     size_text(market, market.asks().begin()->second));
}

std::string ticker_frame(const Market& market, std::int64_t time) {
  const DayNumbers& day = market.day();
  return fmt::format(
      R"({{"e":"24hrTicker","E":{},"s":"{}","c":"{}","Q":"{}","b":"{}","B":"{}","a":"{}","A":"{}","o":"{}","h":"{}","l":"{}","v":"{}","q":"{}"}})",
      time, market.spec().name, price_text(market, day.last), size_text(market, market.spec().size_step),
      price_text(market, market.best_bid()), size_text(market, market.bids().begin()->second),
      price_text(market, market.best_ask()), size_text(market, market.asks().begin()->second),
      price_text(market, day.open), price_text(market, day.high), price_text(market, day.low),
      size_text(market, day.volume), decimal_text(day.quote_volume, {0, kShownDecimals}));
}

}  // namespace

std::optional<StreamType> stream_type(std::string_view suffix) {
  for (const StreamType& type : kTypes) {
    if (type.suffix == suffix) return type;
  }
  return std::nullopt;
}

int variant_of(Form form, bool micros) { return static_cast<int>(form) | (micros ? kMicrosBit : 0); }

std::string depth_snapshot(const Market& market, std::size_t levels) {
  std::string out = fmt::format(R"({{"lastUpdateId":{},"bids":[)", market.update_id());
  std::size_t count = 0;
  for (auto at = market.bids().begin(); at != market.bids().end() && count < levels; ++at, ++count) {
    append_level(market, at->first, at->second, out);
  }
  out += R"(],"asks":[)";
  count = 0;
  for (auto at = market.asks().begin(); at != market.asks().end() && count < levels; ++at, ++count) {
    append_level(market, at->first, at->second, out);
  }
  return out + "]}";
}

void append_frames(const Stream& stream, const Market& market, const MarketEvent& event,
                   std::vector<std::string>& frames) {
  const std::int64_t time =
      (stream.variant & kMicrosBit) != 0 ? event.time.count / 1'000 : epoch_millis(event.time);
  switch (static_cast<Form>(stream.variant & ~kMicrosBit)) {
    case Form::Ticker:
      return frames.push_back(ticker_frame(market, time));
    case Form::BookTicker:
      return frames.push_back(book_ticker_frame(market));
    case Form::Trade:
      for (const Trade& trade : event.trades) frames.push_back(trade_frame(market, trade, time));
      return;
    case Form::AggTrade:
      for (const Trade& trade : event.trades) frames.push_back(agg_trade_frame(market, trade, time));
      return;
    case Form::Depth:
      return frames.push_back(depth_frame(market, event.changes, time));
    case Form::Depth5:
      return frames.push_back(depth_snapshot(market, 5));
    case Form::Depth10:
      return frames.push_back(depth_snapshot(market, 10));
    case Form::Depth20:
      return frames.push_back(depth_snapshot(market, 20));
  }
}

}  // namespace mdpipe::sim::binance

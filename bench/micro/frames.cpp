#include "bench/micro/frames.hpp"

#include <fmt/format.h>

#include <functional>

#include "bench/feed/frame_pool.hpp"

namespace mdpipe::bench {
namespace {

constexpr std::size_t kFrames = 2048;

// The same mix in the same order in every run, with the kinds well mixed.
FrameKind kind_at(std::size_t index, const Mix& mix) {
  constexpr std::size_t kStride = 37;  // prime to 100
  const std::size_t place = index * kStride % 100;
  if (place < mix.trades) return FrameKind::Trade;
  return place < mix.trades + mix.tickers ? FrameKind::Ticker : FrameKind::Book;
}

// Best first, as exchanges mostly send them: bids fall, asks rise.
std::string levels(std::size_t depth, const char* format, std::size_t best, bool falling) {
  std::string out;
  for (std::size_t i = 0; i < depth; ++i) {
    if (i > 0) out += ',';
    out +=
        fmt::format(fmt::runtime(format), falling ? best - 7 * i : best + 7 * i, (best * 31 + i * 7) % 10000);
  }
  return out;
}

std::vector<std::string> make(
    const Shape& shape,
    const std::function<std::string(FrameKind, const std::string&, std::size_t)>& render) {
  const auto names = symbol_names(shape.symbols);
  std::vector<std::string> frames;
  for (std::size_t i = 0; i < kFrames; ++i)
    frames.push_back(render(kind_at(i, shape.mix), names[i % names.size()], i));
  return frames;
}

std::string bitflyer_frame(FrameKind kind, const std::string& symbol, std::size_t i, std::size_t depth) {
  constexpr const char* kLevel = R"({{"price":{}.0,"size":0.{:04}}})";
  const auto in_channel = [](const std::string& channel, const std::string& message) {
    return fmt::format(
        R"({{"jsonrpc":"2.0","method":"channelMessage","params":{{"channel":"{}","message":{}}}}})", channel,
        message);
  };
  if (kind == FrameKind::Trade) {
    return in_channel(
        "lightning_executions_" + symbol,
        fmt::format(
            R"([{{"id":{},"side":"SELL","price":{}.0,"size":0.{:04},"exec_date":"2026-09-23T03:31:27.0873222Z",)"
            R"("buy_child_order_acceptance_id":"JRF20260923-033125-086253",)"
            R"("sell_child_order_acceptance_id":"JRF20260923-033126-086262"}}])",
            2652079303 + i, 13633748 + i, i % 10000));
  }
  if (kind == FrameKind::Ticker) {
    return in_channel(
        "lightning_ticker_" + symbol,
        fmt::format(R"({{"product_code":"{}","state":"RUNNING","timestamp":"2026-09-23T03:31:25.6491037Z",)"
                    R"("tick_id":{},"best_bid":{}.0,"best_ask":{}.0,"best_bid_size":0.03013129,)"
                    R"("best_ask_size":0.005,"total_bid_depth":57.71920633,"total_ask_depth":41.53653104,)"
                    R"("market_bid_size":0.0,"market_ask_size":0.0,"ltp":{}.0,"volume":1104.266230520000,)"
                    R"("volume_by_product":1104.266230520000,"preopen_end":null,"circuit_break_end":null}})",
                    symbol, 17524168 + i, 13633748 + i, 13635244 + i, 13632921 + i));
  }
  return in_channel(
      "lightning_board_" + symbol,
      fmt::format(R"({{"mid_price":13634496.0,"bids":[{}],"asks":[{}]}})",
                  levels(depth, kLevel, 12000000 + i, true), levels(depth, kLevel, 13640000 + i, false)));
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

std::string binance_frame(FrameKind kind, const std::string& symbol, std::size_t i, std::size_t depth) {
  constexpr const char* kLevel = R"(["{}.01000000","0.{:04}0000"])";
  if (kind == FrameKind::Trade) {
    return fmt::format(
        R"({{"stream":"{}@trade","data":{{"e":"trade","E":1709284087124,"s":"{}","t":{},"p":"62{:03}.15000000",)"
        R"("q":"0.{:04}0000","T":1709284087123,"m":true,"M":true}}}})",
        lower(symbol), symbol, 555001 + i, i % 1000, i % 10000);
  }
  if (kind == FrameKind::Ticker) {
    return fmt::format(
        R"({{"stream":"{}@ticker","data":{{"e":"24hrTicker","E":1709284087123,"s":"{}","p":"0.0001","P":"0.19","w":"0.0522",)"
        R"("x":"0.0520","c":"62{:03}.15000000","Q":"0.5","b":"62{:03}.10000000","B":"1.5","a":"62{:03}.20000000","A":"2.5",)"
        R"("o":"0.0520","h":"63000.00000000","l":"61000.00000000","v":"2345.67000000","q":"122.3","O":1709197687000,)"
        R"("C":1709284087000,"F":1,"L":20,"n":20}}}})",
        lower(symbol), symbol, i % 1000, i % 1000, i % 1000);
  }
  return fmt::format(
      R"({{"stream":"{}@depth@100ms","data":{{"e":"depthUpdate","E":1709284087123,"s":"{}","U":{},"u":{},"b":[{}],"a":[{}]}}}})",
      lower(symbol), symbol, 9000 + 8 * i, 9007 + 8 * i, levels(depth, kLevel, 50000 + i, true),
      levels(depth, kLevel, 62500 + i, false));
}

}  // namespace

std::vector<std::string> symbol_names(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) names.push_back(fmt::format("S{:04}_JPY", i));
  return names;
}

std::vector<std::string> gmo_frames(const Shape& shape) {
  Options options;
  options.symbols = symbol_names(shape.symbols);
  options.depth = shape.depth;
  options.mix = shape.mix;
  options.count = kFrames;
  FramePool pool(options);
  std::vector<std::string> frames;
  for (std::size_t i = 0; i < pool.size(); ++i) {
    pool.stamp(pool[i], "2026-09-23T03:25:47.765Z");
    frames.emplace_back(pool.text(pool[i]));
  }
  return frames;
}

std::vector<std::string> bitflyer_frames(const Shape& shape) {
  return make(shape, [&shape](FrameKind kind, const std::string& symbol, std::size_t i) {
    return bitflyer_frame(kind, symbol, i, shape.depth);
  });
}

std::vector<std::string> binance_frames(const Shape& shape) {
  return make(shape, [&shape](FrameKind kind, const std::string& symbol, std::size_t i) {
    return binance_frame(kind, symbol, i, shape.depth);
  });
}

std::vector<std::string> frames_of(const std::string& exchange, const Shape& shape) {
  if (exchange == "bitflyer") return bitflyer_frames(shape);
  if (exchange == "binance") return binance_frames(shape);
  return gmo_frames(shape);
}

}  // namespace mdpipe::bench

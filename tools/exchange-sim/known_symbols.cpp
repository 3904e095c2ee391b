#include "tools/exchange-sim/known_symbols.hpp"

namespace mdpipe::sim {
namespace {

struct Known {
  std::string_view exchange, symbol;
  std::int64_t start_price, tick;
  int price_decimals;
};

// Approximate prices of September 2026.
constexpr Known kKnown[] = {
    {"gmo", "BTC", 13'633'748, 1, 0},
    {"gmo", "ETH", 412'345, 1, 0},
    {"gmo", "XRP", 342'512, 1, 3},
    {"gmo", "BTC_JPY", 13'634'496, 1, 0},
    {"gmo", "ETH_JPY", 412'400, 1, 0},
    {"gmo", "XRP_JPY", 342'600, 1, 3},
    {"bitflyer", "BTC_JPY", 13'633'748, 1, 0},
    {"bitflyer", "ETH_JPY", 412'345, 1, 0},
    {"bitflyer", "XRP_JPY", 34'251, 1, 2},
    {"bitflyer", "FX_BTC_JPY", 13'640'112, 1, 0},
    {"binance", "BTCUSDT", 8'414'300'000'000, 1'000'000, 8},
    {"binance", "ETHUSDT", 192'328'000'000, 1'000'000, 8},
    {"binance", "BNBBTC", 915'300, 100, 8},
    {"binance", "XRPUSDT", 213'450'000, 10'000, 8},
};

constexpr std::uint64_t kBitflyerFirstId = 2'652'079'303;
constexpr std::uint64_t kBinanceFirstId = 3'745'112'001;
constexpr std::uint64_t kBinanceFirstUpdate = 50'422'111'200;

}  // namespace

SymbolSpec spec_of(std::string_view exchange, const std::string& symbol) {
  SymbolSpec spec;
  spec.name = symbol;
  const bool binance = exchange == "binance";
  spec.price_decimals = binance ? 8 : 0;
  spec.tick = binance ? 1'000'000 : 1;
  spec.start_price =
      (100'000 + static_cast<std::int64_t>(hash_of(symbol) % 900'000)) * (binance ? 1'000'000 : 1);
  for (const Known& known : kKnown) {
    if (known.exchange != exchange || known.symbol != symbol) continue;
    spec.start_price = known.start_price;
    spec.tick = known.tick;
    spec.price_decimals = known.price_decimals;
  }
  spec.size_step = binance ? 1'000 : 100'000;  // 0.00001 and 0.001
  spec.first_trade_id = binance ? kBinanceFirstId : kBitflyerFirstId;
  spec.first_update_id = kBinanceFirstUpdate;
  if (exchange == "gmo") {
    spec.size_decimals = 9;  // a trade's number is in these nine digits
    spec.size_step = 1'000'000;
    spec.number_in_size = true;
  }
  return spec;
}

}  // namespace mdpipe::sim

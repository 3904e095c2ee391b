#include "tools/exchange-sim/venue.hpp"

#include <algorithm>
#include <utility>

#include "tools/exchange-sim/venues/binance.hpp"
#include "tools/exchange-sim/venues/bitflyer.hpp"
#include "tools/exchange-sim/venues/gmo.hpp"

namespace mdpipe::sim {

const Stream* Session::find(std::string_view key) const {
  const auto found =
      std::find_if(streams.begin(), streams.end(), [key](const Stream& s) { return s.key == key; });
  return found == streams.end() ? nullptr : &*found;
}

void Session::drop(std::string_view key) {
  streams.erase(
      std::remove_if(streams.begin(), streams.end(), [key](const Stream& s) { return s.key == key; }),
      streams.end());
}

void Venue::on_open(Session&, std::string_view) {}

Reply Venue::on_control(Session&, SteadyTime) { return {}; }

std::string Venue::wrap(const Session&, const Stream&, std::string body) const { return body; }

bool Venue::spoil_mid_price(const Market&, std::string&) const { return false; }

std::optional<HttpReply> Venue::on_http(std::string_view, const std::vector<Market>&) const {
  return std::nullopt;
}

std::optional<std::string> Venue::farewell(const Session&, UnixNanos) const { return std::nullopt; }

Habits habits_of(std::string_view exchange) {
  using std::chrono::hours;
  using std::chrono::seconds;
  Habits habits;
  if (exchange == "gmo") {
    habits.ping_interval = seconds(60);
    habits.idle_timeout = seconds(60);
    habits.requests_per_second = 1;
    habits.book_levels = 60;
    habits.default_symbols = {"BTC", "ETH", "XRP", "BTC_JPY", "ETH_JPY", "XRP_JPY"};
  } else if (exchange == "bitflyer") {
    habits.ping_interval = seconds(15);
    habits.missed_pongs_max = 2;
    habits.book_levels = 300;
    habits.trades_per_event_max = 3;
    habits.deflate = false;
    habits.default_symbols = {"BTC_JPY", "ETH_JPY", "XRP_JPY", "FX_BTC_JPY"};
  } else {
    habits.ping_interval = seconds(20);
    habits.max_connection_age = hours(24);
    habits.requests_per_second = 5;
    habits.book_levels = 1000;
    habits.default_symbols = {"BTCUSDT", "ETHUSDT", "BNBBTC", "XRPUSDT"};
  }
  return habits;
}

std::unique_ptr<Venue> make_venue(std::string_view exchange, std::vector<std::string> symbols,
                                  std::size_t requests_per_second) {
  if (exchange == "gmo") return std::make_unique<Gmo>(std::move(symbols), requests_per_second);
  if (exchange == "bitflyer") return std::make_unique<Bitflyer>(std::move(symbols));
  return std::make_unique<Binance>(std::move(symbols), requests_per_second);
}

}  // namespace mdpipe::sim

#pragma once
// What the tests of exchange-sim share: sessions, an exchange fed by one session, a book kept as a client
// would.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tools/exchange-sim/exchange.hpp"
#include "tools/exchange-sim/frame_text.hpp"
#include "tools/exchange-sim/venue.hpp"

namespace mdpipe::sim {

inline SteadyTime at(std::chrono::milliseconds time) { return SteadyTime(std::chrono::hours(1) + time); }

inline ExchangeOptions config_for(const std::string& exchange, std::uint64_t seed = 7) {
  ExchangeOptions config;
  config.exchange = exchange;
  config.symbols = habits_of(exchange).default_symbols;
  config.book_levels = 40;
  config.seed = seed;
  config.events_per_snapshot = 50;
  return config;
}

// Frames of `events` events for what `requests` subscribe to, with a constant time.
inline std::vector<std::string> frames_of(const ExchangeOptions& config,
                                          const std::vector<std::string>& requests, int events,
                                          std::string_view resource = "/") {
  Exchange exchange(config);
  Session session;
  exchange.venue().on_open(session, resource);
  for (const std::string& request : requests) exchange.venue().on_text(session, request, at({}));
  exchange.set_streams({&session});
  std::vector<std::string> out;
  for (int i = 0; i < events; ++i) {
    for (const Frame& frame : exchange.next(UnixNanos{1'790'000'000'123'456'700})) {
      const Stream* stream = session.find(frame.key);
      out.push_back(exchange.venue().wrap(session, *stream, frame.body));
    }
  }
  return out;
}

// A client's book: price -> size as numbers are compared, with the text as sent.
struct ClientBook {
  std::map<double, std::string> bids, asks;

  static void set(std::map<double, std::string>& side, double price, double size, std::string text) {
    if (size == 0) {
      side.erase(price);
    } else {
      side[price] = std::move(text);
    }
  }
};

}  // namespace mdpipe::sim

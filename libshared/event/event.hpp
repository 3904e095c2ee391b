#pragma once
// The normalized market event, as views into the frame it was read from. An Event lives for one call: whoever
// keeps it encodes it (libshared/wire). The keys and their meaning are the contract of docs/architecture.md,
// "The event".
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "libshared/time/time.hpp"

namespace mdpipe {

enum class EventType { Ticker, Trade, OrderBook };
inline constexpr EventType kEventTypes[] = {EventType::Ticker, EventType::Trade, EventType::OrderBook};

constexpr std::string_view to_string(EventType type) {
  switch (type) {
    case EventType::Ticker:
      return "ticker";
    case EventType::Trade:
      return "trade";
    case EventType::OrderBook:
      return "orderbook";
  }
  return "";
}

enum class Side {
  None,
  Buy,
  Sell
};  // the taker's; None where the exchange names none (bitFlyer's Itayose auction)
enum class BookKind { Snapshot, Delta };

// Exact decimal text, as the exchange wrote it; empty where the exchange gave none.
using Decimal = std::string_view;

struct Trade {
  Decimal price;
  Decimal size;
  Side side = Side::None;
  std::string_view id;  // empty where the exchange has none
};

struct Ticker {
  Decimal bid, ask, last, high, low, volume;
};

struct Level {
  Decimal price;
  Decimal size;
};

// A borrowed run of levels, best first.
struct Levels {
  const Level* data = nullptr;
  std::size_t size = 0;

  [[nodiscard]] const Level* begin() const { return data; }
  [[nodiscard]] const Level* end() const { return data + size; }
};

struct OrderBook {
  BookKind kind = BookKind::Snapshot;
  Levels bids;
  Levels asks;
  std::optional<std::uint64_t> book_seq;  // the exchange's own sequence number
};

struct Event {
  std::string_view exchange;  // lower case: "gmo"
  std::string_view symbol;    // the exchange's own, verbatim: "BTC_JPY"
  UnixNanos ts;               // the exchange's time; 0 where it gives none
  UnixNanos recv;             // when the frame was read from the socket
  std::variant<Ticker, Trade, OrderBook> body;

  [[nodiscard]] EventType type() const { return static_cast<EventType>(body.index()); }
};

}  // namespace mdpipe

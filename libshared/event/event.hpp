#pragma once
// The normalized market event, as views into the frame it was read from. An Event is valid for one call; code
// that needs it later encodes it (libshared/wire). docs/architecture.md, "The event", specifies the keys and
// their meaning.
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "libshared/time/time.hpp"

namespace mdpipe {

enum class EventType { Ticker, Trade, OrderBook, Feed };
// What exchanges send. These are also the channels to subscribe to.
inline constexpr EventType kMarketTypes[] = {EventType::Ticker, EventType::Trade, EventType::OrderBook};
inline constexpr EventType kEventTypes[] = {EventType::Ticker, EventType::Trade, EventType::OrderBook,
                                            EventType::Feed};

constexpr std::string_view to_string(EventType type) {
  switch (type) {
    case EventType::Ticker:
      return "ticker";
    case EventType::Trade:
      return "trade";
    case EventType::OrderBook:
      return "orderbook";
    case EventType::Feed:
      return "feed";
  }
  return "";
}

// The type that to_string() gives this name.
constexpr std::optional<EventType> parse_event_type(std::string_view name) {
  for (const EventType type : kEventTypes) {
    if (to_string(type) == name) return type;
  }
  return std::nullopt;
}

enum class Side {
  None,
  Buy,
  Sell
};  // the taker's; None if the exchange names none (bitFlyer's Itayose auction)
enum class BookKind { Snapshot, Delta };

// Exact decimal text, as the exchange wrote it; empty if the exchange gave none.
using Decimal = std::string_view;

struct Trade {
  Decimal price;
  Decimal size;
  Side side = Side::None;
  std::string_view id;  // empty if the exchange has none
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
  // What the exchange sends to check a delta with; never published.
  std::optional<std::uint64_t> first_book_seq{};  // of the first change, if a delta covers several (Binance)
  Decimal mid_price{};                            // of the book after the delta (bitFlyer)
};

// The condition of one channel of one symbol. docs/feeds.md has the rules.
enum class FeedState {
  Pending,  // subscribed, no data yet
  Live,
  Quiet,  // silent for longer than it usually is
  Stale,  // silent beyond its limit
  Gap,    // events are missing; a book stays in this state until it is complete again
  Down,   // no connection
  Ended,  // no longer collected: its last change of state
};
// The states of a feed that is collected, in the order of the enumeration.
inline constexpr FeedState kFeedStates[] = {FeedState::Pending, FeedState::Live, FeedState::Quiet,
                                            FeedState::Stale,   FeedState::Gap,  FeedState::Down};

constexpr std::string_view to_string(FeedState state) {
  switch (state) {
    case FeedState::Pending:
      return "pending";
    case FeedState::Live:
      return "live";
    case FeedState::Quiet:
      return "quiet";
    case FeedState::Stale:
      return "stale";
    case FeedState::Gap:
      return "gap";
    case FeedState::Down:
      return "down";
    case FeedState::Ended:
      return "ended";
  }
  return "";
}

// A feed changed its state: the body of an event of the type Feed.
struct FeedChange {
  EventType channel = EventType::Ticker;
  FeedState state = FeedState::Pending;
  UnixNanos since;          // when the state began
  std::string_view reason;  // a short sentence
  // Of a gap: the receive times of the last event before it and of the first event after it (or of the first
  // and last lost event), 0 if unknown, and how many events are missing, nothing if unknown.
  UnixNanos from{}, to{};
  std::optional<std::uint64_t> lost{};
};

struct Event {
  std::string_view exchange;  // lower case: "gmo"
  std::string_view symbol;    // the exchange's own, verbatim: "BTC_JPY"
  UnixNanos ts;               // the exchange's time; 0 if it gives none
  UnixNanos recv;             // when the frame was read from the socket
  std::variant<Ticker, Trade, OrderBook, FeedChange> body;

  [[nodiscard]] EventType type() const { return static_cast<EventType>(body.index()); }
};

}  // namespace mdpipe

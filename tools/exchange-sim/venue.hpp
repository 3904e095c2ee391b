#pragma once
// What differs from exchange to exchange: how requests are read and answered, and how a market event is
// written as frames. Venues have no socket and no clock; they borrow sessions and markets for the call.
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/time/time.hpp"
#include "tools/exchange-sim/market.hpp"
#include "tools/exchange-sim/request_limit.hpp"

namespace mdpipe::sim {

// What can happen in a market. Book snapshots with a clock of their own (bitFlyer) are TimedSnapshot.
enum class Kind { Trade, Ticker, Quote, Book, TimedSnapshot };

// One thing that a client can subscribe to. Some exchanges accept an unknown symbol and then send nothing:
// kNoSymbol.
struct Stream {
  static constexpr std::size_t kNoSymbol = static_cast<std::size_t>(-1);

  std::string key;  // unique; equal keys get equal frames
  std::size_t symbol = kNoSymbol;
  Kind kind = Kind::Trade;
  int variant = 0;   // its meaning is the venue's
  std::string name;  // as the exchange calls it
};

// One client's state.
struct Session {
  static constexpr std::size_t kStreamsMax = 1024;  // Binance's limit, used for all

  std::uint64_t number = 0;
  std::string address;
  bool combined = false;  // Binance: frames are wrapped in {"stream":..,"data":..}
  bool micros = false;    // Binance: times in microseconds
  RequestLimit limit;     // Binance: incoming messages of this connection
  std::vector<Stream> streams;

  [[nodiscard]] const Stream* find(std::string_view key) const;
  void drop(std::string_view key);
};

struct CloseRequest {
  int code = 1000;
  std::string reason;
};

struct Reply {
  std::vector<std::string> frames;
  std::optional<CloseRequest> close;
};

// One event in one market, which is written in the form of each stream that wants it.
struct MarketEvent {
  Kind kind = Kind::Trade;
  std::vector<Trade> trades;
  BookChanges changes;
  UnixNanos time;
};

struct HttpReply {
  int status = 200;
  std::string body;
  std::int64_t retry_after = 0;  // seconds; 0: no header
};

// The exchange's own behaviour, unless an option overrides it.
struct Habits {
  std::chrono::milliseconds ping_interval{};
  int missed_pongs_max = 3;
  std::chrono::milliseconds idle_timeout{};        // without a subscription; 0: none
  std::chrono::milliseconds max_connection_age{};  // 0: none
  std::size_t requests_per_second = 0;             // 0: no limit
  std::size_t book_levels = 300;
  std::size_t trades_per_event_max = 1;
  bool deflate = true;
  std::vector<std::string> default_symbols;
};

class Venue {
 public:
  virtual ~Venue() = default;

  // A client connected to `resource` ("/ws/btcusdt@trade").
  virtual void on_open(Session& session, std::string_view resource);
  virtual Reply on_text(Session& session, std::string_view text, SteadyTime now) = 0;
  // A ping or pong arrived. If these count against a limit, the reply may close the connection.
  virtual Reply on_control(Session& session, SteadyTime now);

  // Appends the frames of one event for one stream, without the session's wrapping.
  virtual void render(const Stream& stream, const Market& market, const MarketEvent& event,
                      std::vector<std::string>& frames) const = 0;
  virtual std::string wrap(const Session& session, const Stream& stream, std::string body) const;

  // Misbehaviour: adds a bid above the best ask to a frame of a book that render() made. The rest of the
  // frame agrees with it.
  virtual void cross_book(const Market& market, std::string& frame) const = 0;
  // Makes the frame's mid price wrong; false if this exchange's frames have none.
  virtual bool spoil_mid_price(const Market& market, std::string& frame) const;

  // A plain HTTP request to the same port; nothing if the exchange serves none.
  virtual std::optional<HttpReply> on_http(std::string_view resource,
                                           const std::vector<Market>& markets) const;

  // The message before the server itself closes the connection; nothing for most.
  virtual std::optional<std::string> farewell(const Session& session, UnixNanos now) const;

  // A well-formed frame of an unknown channel.
  virtual std::string unknown_channel_frame() const = 0;
};

inline const std::vector<std::string>& exchange_names() {
  static const std::vector<std::string> names = {"gmo", "bitflyer", "binance"};
  return names;
}

// `exchange` is one of exchange_names().
Habits habits_of(std::string_view exchange);

// `symbols` gives Stream::symbol its meaning: an index into it.
std::unique_ptr<Venue> make_venue(std::string_view exchange, std::vector<std::string> symbols,
                                  std::size_t requests_per_second);

}  // namespace mdpipe::sim

#include "tools/exchange-sim/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "tools/exchange-sim/garbage.hpp"
#include "tools/exchange-sim/venue.hpp"

namespace mdpipe::sim {
namespace {

constexpr std::int64_t kCountMax = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kSymbolsMax = 1000;

// Adds options whose variables are EXCHANGE_SIM_<FLAG>: RATE or EVENTS alone could belong to something else.
class Adder {
 public:
  explicit Adder(config::OptionTable& table) : table_(table) {}

  template <typename Target>
  config::Option& operator()(const std::string& flag, Target& target, std::string help) {
    std::string env = "EXCHANGE_SIM_" + flag;
    for (char& c : env) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return table_.add(flag, target, std::move(help)).env(std::move(env));
  }

 private:
  config::OptionTable& table_;
};

void add_connection(config::OptionTable& table, Options& o) {
  Adder add(table);
  table.section("Connection");
  add("exchange", o.exchange, "Exchange to imitate.").one_of(exchange_names()).value_name("NAME");
  add("listen", o.listen, "Address to listen on; port 0 chooses a free one.").value_name("HOST:PORT");
  add("port-file", o.port_file, "Write the port to this file, atomically, when clients can connect.")
      .value_name("FILE");
  add("tls-cert", o.tls_cert, "PEM file with the certificate chain; with --tls-key, serve wss://.")
      .value_name("FILE");
  add("tls-key", o.tls_key, "PEM file with the certificate's private key.").value_name("FILE");
  add("deflate", o.deflate, "Use permessage-deflate with clients that offer it.")
      .default_shown("gmo true, bitflyer false, binance true");
  add("buffer-bytes", o.buffer,
      "Unsent bytes of a connection at which paced frames are dropped; at rate 0 and in a replay, sending "
      "waits instead.")
      .range(1 << 10U, 1LL << 30U);
  add("connections-max", o.connections_max,
      "Maximum number of connections; further ones are refused with HTTP 503.")
      .range(1, 10'000);
}

void add_data(config::OptionTable& table, Options& o) {
  Adder add(table);
  table.section("Generated data");
  add("symbols", o.symbols, "Symbols that the exchange knows; any names are allowed.")
      .default_shown("the exchange's best known");
  add("seed", o.seed, "The same seed gives the same frames, except for the times in them.")
      .range(0, kCountMax);
  add("rate", o.rate, "Events per second over all subscribed streams; 0: as fast as the clients accept them.")
      .range(0, 10'000'000);
  add("events", o.events, "Stop after this many events and keep the connections; 0: never stop.")
      .range(0, kCountMax);
  add("book-levels", o.book_levels, "Levels on each side of the book.")
      .range(2, 10'000)
      .default_shown("gmo 60 (30 are sent), bitflyer 300, binance 1000");
  add("snapshot-interval", o.snapshot_interval,
      "bitflyer: time between book snapshots, counted in events at --rate.")
      .range(1, 3'600'000);
  add("run-unwatched", o.run_unwatched,
      "Continue trading while nobody is connected, so that a returning client has missed trades.");
}

void add_replay(config::OptionTable& table, Options& o) {
  Adder add(table);
  table.section("Replay of a recording, instead of generated data");
  add("replay", o.replay,
      "Send the frames of this recording unchanged: one per line, .jsonl or .jsonl.gz; a .recv file beside "
      "it gives the pace.")
      .value_name("FILE");
  add("speed", o.speed, "1: the recorded pace; 10: ten times as fast; 0: as fast as the client accepts it.")
      .range(0, 1'000'000);
  add("replay-start", o.replay_start,
      "When the replay begins. subscribe: at the client's first request; connect: at once.")
      .one_of({"subscribe", "connect"})
      .value_name("WHEN");
  add("exit-after-replay", o.exit_after_replay,
      "When a client has received the whole replay, close with 1000 and exit with 0.");
}

void add_rules(config::OptionTable& table, Options& o) {
  Adder add(table);
  table.section("Rules of the exchange (0 switches a rule off)");
  add("requests-per-second", o.requests_per_second,
      "Requests accepted in any second: gmo per address, binance per connection.")
      .range(0, 1'000'000)
      .default_shown("gmo 1, bitflyer 0, binance 5");
  add("ping-interval", o.ping_interval, "Time between pings to the client.")
      .default_shown("gmo 60s, bitflyer 15s, binance 20s");
  add("missed-pongs-max", o.missed_pongs_max, "Unanswered pings after which the connection is closed.")
      .range(0, 1000)
      .default_shown("gmo 3, bitflyer 2, binance 3");
  add("idle-timeout", o.idle_timeout, "Cut a connection that has no subscription after this time of silence.")
      .default_shown("gmo 60s, others 0s");
  add("max-connection-age", o.max_connection_age, "Close a connection after this time.")
      .default_shown("binance 24h, others 0s");
}

void add_misbehaviour(config::OptionTable& table, Options& o) {
  Adder add(table);
  table.section("Misbehaviour (counts are of data frames of one connection; 0 switches it off)");
  add("close-after", o.close_after, "Close the connection after this many frames.").range(0, kCountMax);
  add("close-code", o.close_code, "Close code for --close-after and for the control command close.")
      .range(1000, 4999);
  add("close-reason", o.close_reason, "Close reason sent with that code, at most 123 bytes.")
      .value_name("TEXT");
  add("drop-after", o.drop_after, "Cut the TCP connection without a close frame after this many frames.")
      .range(0, kCountMax);
  add("silence-after", o.silence_after, "Send no more data after this many frames; pings continue.")
      .range(0, kCountMax);
  add("silence-symbol", o.silence_symbol, "Send no data of this symbol.").value_name("SYMBOL");
  add("silence-symbol-after", o.silence_symbol_after, "Frames of that symbol that are still sent.")
      .range(0, kCountMax);
  add("refuse-http", o.refuse_http, "Answer the handshake with this HTTP status instead of accepting it.")
      .range(0, 599);
  add("retry-after", o.retry_after,
      "Seconds in the Retry-After header of --refuse-http and --rest-status; 0: no header.")
      .range(0, 86'400);
  add("refuse-count", o.refuse_count, "Refuse only this many handshakes; 0: all.").range(0, kCountMax);
  add("no-pong", o.no_pong, "Do not answer the client's pings.");
  add("garbage-every", o.garbage_every, "Send bad frames, with this many good frames between them.")
      .range(0, kCountMax);
  add("garbage-kinds", o.garbage_kinds, "Kinds of bad frames, sent in turn.")
      .one_of(garbage_kinds())
      .default_shown("all");
  add("bomb-after", o.bomb_after,
      "After this many frames, send one compressed frame that becomes enormous when decompressed.")
      .range(0, kCountMax);
  add("bomb-bytes", o.bomb_bytes, "Decompressed size of that frame.").range(1024, 4LL << 30U);
  add("skip-delta-every", o.skip_delta_every, "Leave out one in this many order book frames.")
      .range(0, kCountMax);
  add("cross-book-every", o.cross_book_every,
      "Add a bid above the best ask to one in this many order book frames.")
      .range(0, kCountMax);
  add("wrong-mid-every", o.wrong_mid_every,
      "bitflyer: send a wrong mid_price in one in this many order book frames.")
      .range(0, kCountMax);
  add("rest-status", o.rest_status, "Answer plain HTTP requests with this status instead.").range(0, 599);
  add("rest-status-count", o.rest_status_count, "Answer only this many requests in that way; 0: all.")
      .range(0, kCountMax);
  add("delay", o.delay, "Delay each frame by this time.").range(0, 600'000);
  add("slow-bytes-per-second", o.slow_bytes_per_second, "Send no faster than this, in whole frames.")
      .range(0, 1LL << 40U);
  add("burst", o.burst, "Factor by which --rate rises during a burst; 1: no bursts.").range(1, 100'000);
  add("burst-every", o.burst_every, "Time from one burst to the next.").range(1, 86'400'000);
  add("burst-length", o.burst_length, "Length of a burst.").range(1, 86'400'000);
}

void add_watching(config::OptionTable& table, Options& o) {
  Adder add(table);
  table.section("Observation and control");
  add("log-level", o.log_level, "Lowest level to log.")
      .one_of({"trace", "debug", "info", "warn", "error", "fatal"})
      .value_name("LEVEL");
  add("log-sent", o.log_sent,
      "Write every frame that is sent to this file: connection, time in ns and frame, separated by tabs.")
      .value_name("FILE");
  add("log-sent-at-once", o.log_sent_at_once, "Write each of these lines before its frame is sent.");
  add("control", o.control, "UNIX stream socket that accepts commands, one per line; see the manual page.")
      .value_name("PATH");
}

void fill_in_habits(const config::OptionTable& table, Options& o) {
  const Habits habits = habits_of(o.exchange);
  const auto is_default = [&table](std::string_view flag) { return table.origin(flag) == "default"; };
  if (is_default("deflate")) o.deflate = habits.deflate;
  if (is_default("symbols")) o.symbols = habits.default_symbols;
  if (is_default("book-levels")) o.book_levels = static_cast<std::int64_t>(habits.book_levels);
  if (is_default("requests-per-second"))
    o.requests_per_second = static_cast<std::int64_t>(habits.requests_per_second);
  if (is_default("missed-pongs-max")) o.missed_pongs_max = habits.missed_pongs_max;
  if (is_default("ping-interval")) o.ping_interval = habits.ping_interval;
  if (is_default("idle-timeout")) o.idle_timeout = habits.idle_timeout;
  if (is_default("max-connection-age")) o.max_connection_age = habits.max_connection_age;
  if (o.garbage_kinds.empty()) o.garbage_kinds = garbage_kinds();
}

Result<bool> check(const Options& o) {
  constexpr std::size_t kCloseReasonMax = 123;  // RFC 6455: a control frame has 125 bytes, two are the code
  const auto bad = [](std::string message) { return Error{ErrorKind::BadConfig, std::move(message)}; };
  if (o.tls_cert.empty() != o.tls_key.empty())
    return bad("--tls-cert and --tls-key go together: give both or none");
  if (o.symbols.empty()) return bad("--symbols: at least one symbol is needed");
  if (o.symbols.size() > kSymbolsMax)
    return bad(fmt::format("--symbols: {} of them, at most {}", o.symbols.size(), kSymbolsMax));
  if (o.close_reason.size() > kCloseReasonMax) return bad("--close-reason: longer than 123 bytes");
  if (o.close_code == 1005 || o.close_code == 1006 || o.close_code == 1015) {
    return bad(fmt::format("--close-code {}: RFC 6455 keeps it for use without a frame; see --drop-after",
                           o.close_code));
  }
  if (o.refuse_http != 0 && o.refuse_http < 300)
    return bad("--refuse-http: expected 0 or a status from 300 to 599");
  if (o.rest_status != 0 && o.rest_status < 300)
    return bad("--rest-status: expected 0 or a status from 300 to 599");
  if (o.listen.rfind(':') == std::string::npos)
    return bad(fmt::format("--listen '{}': expected HOST:PORT", o.listen));
  for (const std::string& symbol : o.symbols) {
    const bool plain = std::all_of(symbol.begin(), symbol.end(), [](char c) {
      return static_cast<unsigned char>(c) > ' ' && c != '"' && c != '\\';
    });
    if (!plain)
      return bad(fmt::format("--symbols '{}': blanks, quotes and backslashes cannot be in a symbol", symbol));
  }
  return true;
}

}  // namespace

config::OptionTable option_table(Options& options) {
  config::OptionTable table("exchange-sim",
                            "A WebSocket server that imitates GMO Coin, bitFlyer or Binance, with faults on "
                            "request, for testing market data clients.");
  add_connection(table, options);
  add_data(table, options);
  add_replay(table, options);
  add_rules(table, options);
  add_misbehaviour(table, options);
  add_watching(table, options);
  return table;
}

Result<bool> finish_options(const config::OptionTable& table, Options& options) {
  fill_in_habits(table, options);
  return check(options);
}

}  // namespace mdpipe::sim

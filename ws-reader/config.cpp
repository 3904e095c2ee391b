#include "ws-reader/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "libshared/log/log.hpp"
#include "libshared/text/ascii.hpp"
#include "libshared/transport/endpoint.hpp"
#include "libshared/wire/link.hpp"
#include "ws-reader/venues/registry.hpp"

namespace mdpipe::reader {
namespace {

Error bad(std::string message) { return Error{ErrorKind::BadConfig, std::move(message)}; }

// The event types of exchanges, and the names that exchanges use for them.
std::optional<EventType> parse_channel(std::string_view name) {
  if (name == "trades") return EventType::Trade;
  if (name == "orderbooks") return EventType::OrderBook;
  const auto type = parse_event_type(name);
  return type == EventType::Feed ? std::nullopt : type;
}

// "ticker=3s"
struct StaleLimit {
  EventType channel;
  config::Milliseconds limit;
};
std::optional<StaleLimit> parse_stale_limit(std::string_view text) {
  constexpr config::Milliseconds kMin{3'000}, kMax{86'400'000};
  const auto [name, value] = ascii::split_once(text, '=');
  const auto channel = parse_channel(name);
  const auto limit = config::parse_duration(value);
  if (!channel || !limit || *limit < kMin || *limit > kMax) return std::nullopt;
  return StaleLimit{*channel, *limit};
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= wire::kSourceCharsMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
         });
}

// Symbols are copied into JSON requests unescaped, so characters that end a JSON string are rejected.
// Non-ASCII letters are allowed.
bool is_symbol(std::string_view text) {
  constexpr std::size_t kSymbolCharsMax = 64;
  return !text.empty() && text.size() <= kSymbolCharsMax && std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != '"' && c != '\\';
  });
}

void fill_defaults(Config& config) {
  if (config.source.empty()) config.source = config.exchange;
  if (config.state_dir.empty()) config.state_dir = config.runtime_dir;
  if (config.books.empty()) config.books = config.from_stdin ? "raw" : "checked";
  const auto fill = [&](std::string& endpoint, const std::string& name) {
    if (endpoint.empty()) endpoint = transport::ipc_endpoint(config.runtime_dir, name);
  };
  fill(config.events_endpoint, "events");
  fill(config.positions_endpoint, "positions");
  fill(config.metrics_endpoint, "metrics");
  fill(config.tap_endpoint, fmt::format("tap-{}", config.source));
}

Result<bool> check_endpoints(Config& config) {
  const std::pair<const char*, const std::string*> endpoints[] = {
      {"events-endpoint", &config.events_endpoint},
      {"positions-endpoint", &config.positions_endpoint},
      {"metrics-endpoint", &config.metrics_endpoint},
      {"tap-endpoint", &config.tap_endpoint}};
  for (const auto& [option, endpoint] : endpoints) {
    if (option == std::string_view("tap-endpoint") && *endpoint == "none") continue;
    if (const auto checked = transport::check_endpoint(option, *endpoint); !checked) return checked.error();
  }
  transport::Security& security = config.security;
  if (auto loaded = security.load(); !loaded) return loaded;
  for (const auto& [option, endpoint] : {endpoints[0], endpoints[1]}) {
    if (auto checked = security.check_publisher(option, *endpoint); !checked) return checked;
  }
  if (auto checked = security.check_agent("metrics-endpoint", config.metrics_endpoint); !checked)
    return checked;
  return security.check_listening("tap-endpoint", config.tap_endpoint);
}

// "latest", "keep", or one of them for each type: "ticker=latest,orderbook=keep".
Result<bool> parse_when_behind(Config& config) {
  config.conflated_types.clear();
  for (const auto& item : config.when_behind) {
    const std::size_t equals = item.find('=');
    const std::string policy = equals == std::string::npos ? item : item.substr(equals + 1);
    std::vector<EventType> types = {EventType::Ticker, EventType::OrderBook};
    if (equals != std::string::npos) {
      const auto type = parse_channel(item.substr(0, equals));
      types = {type.value_or(EventType::Trade)};
    }
    const bool latest = policy == "latest";
    if ((!latest && policy != "keep") || (latest && types.front() == EventType::Trade)) {
      return bad(fmt::format(
          "--when-behind '{}': write latest, keep, or TYPE=latest for ticker or orderbook; trades are "
          "never left out",
          item));
    }
    if (latest) config.conflated_types.insert(config.conflated_types.end(), types.begin(), types.end());
  }
  return true;
}

Result<bool> check(Config& config) {
  if (config.exchange.empty()) {
    return bad(
        fmt::format("--exchange is not set; choose one of {}", fmt::join(venues::exchange_names(), ", ")));
  }
  if (config.symbols.empty() && !config.from_stdin) {
    return bad("--symbols is empty; name at least one, such as --symbols=BTC_JPY,ETH_JPY");
  }
  for (const auto& symbol : config.symbols) {
    if (!is_symbol(symbol))
      return bad(
          fmt::format("--symbols '{}': a symbol has 1 to 64 characters without blanks or quotes", symbol));
  }
  if (config.channels.empty())
    return bad("--channels is empty; name at least one of ticker, trade, orderbook");
  for (const auto& text : config.stale_after) {
    if (!parse_stale_limit(text))
      return bad(fmt::format(
          "--stale-after '{}': expected a channel and a time from 3s to 24h, such as ticker=30s", text));
  }
  if (!config.source.empty() && !is_name(config.source)) {
    return bad(fmt::format("--source '{}': letters, digits, '-', '_' and '.' only, at most {} characters",
                           config.source, wire::kSourceCharsMax));
  }
  const bool is_websocket = config.url.substr(0, 5) == "ws://" || config.url.substr(0, 6) == "wss://";
  if (!config.url.empty() && !is_websocket) {
    return bad(fmt::format("--url '{}': expected wss://host[:port]/path (or ws:// for tests)", config.url));
  }
  if (const auto parsed = parse_when_behind(config); !parsed) return parsed.error();
  const bool is_http =
      config.rest_url.substr(0, 7) == "http://" || config.rest_url.substr(0, 8) == "https://";
  if (!config.rest_url.empty() && !is_http) {
    return bad(
        fmt::format("--rest-url '{}': expected https://host[:port] (or http:// for tests)", config.rest_url));
  }
  if (config.reconnect_delay_max < config.reconnect_delay_min) {
    return bad(fmt::format("--reconnect-delay-max {}ms is below --reconnect-delay-min {}ms",
                           config.reconnect_delay_max.count(), config.reconnect_delay_min.count()));
  }
  fill_defaults(config);
  return check_endpoints(config);
}

}  // namespace

std::vector<venues::Subscription> Config::subscriptions() const {
  std::vector<venues::Subscription> wanted;
  std::set<std::pair<EventType, std::string_view>> known;  // "trade" and "trades" are the same
  for (const auto& symbol : symbols) {
    for (const auto& channel : channels) {
      const EventType type = *parse_channel(channel);
      if (known.emplace(type, symbol).second) wanted.push_back({type, symbol});
    }
  }
  return wanted;
}

venues::StaleAfter Config::stale_limits(const venues::Profile& profile) const {
  venues::StaleAfter limits = profile.stale_after;
  for (const auto& text : stale_after) {
    if (const auto limit = parse_stale_limit(text))
      limits[static_cast<std::size_t>(limit->channel)] = limit->limit;
  }
  return limits;
}

void add_options(config::OptionTable& table, Config& config) {
  using config::Milliseconds;
  table.section("What to collect");
  table.add("exchange", config.exchange, "Exchange to read.").one_of(venues::exchange_names());
  table
      .add("symbols", config.symbols,
           "Symbols, spelt as the exchange spells them; with --stdin, an empty list accepts all.")
      .reloads();
  table.add("channels", config.channels, "Types of market data.")
      .one_of({"ticker", "trade", "orderbook", "trades", "orderbooks"})
      .reloads();
  table
      .add("stale-after", config.stale_after,
           "Minimum silence before a feed is stale, per channel; slow markets get longer.")
      .value_name("CHANNEL=TIME,...")
      .default_shown("ticker=30s,trade=5m,orderbook=15s")
      .reloads();
  table
      .add("books", config.books,
           "checked: publish only verified order books; raw: publish every frame unchanged.")
      .one_of({"checked", "raw"})
      .default_shown("checked, with --stdin raw");

  table.section("Connection");
  table.add("url", config.url, "WebSocket address to read instead of the exchange's own.")
      .env("WS_URL")
      .value_name("URL");
  table
      .add("rest-url", config.rest_url,
           "HTTP interface from which to fetch order books, instead of the exchange's own.")
      .env("WS_REST_URL")
      .value_name("URL");
  table
      .add("ca-file", config.ca_file,
           "PEM file of the certificate authorities to trust instead of the system's.")
      .value_name("FILE");
  table
      .add("frame-bytes-max", config.frame_bytes_max,
           "Largest accepted frame, before and after decompression; larger frames are skipped and counted.")
      .range(1024, 1LL << 30U);
  table
      .add("connect-timeout", config.connect_timeout,
           "Time limit for DNS, TCP, TLS and the WebSocket handshake together.")
      .range(100, 300'000);
  table.add("ping-interval", config.ping_interval, "Time between pings to the exchange; 0 sends none.")
      .range(0, 3'600'000);
  table
      .add("pong-timeout", config.pong_timeout,
           "If a ping is not answered within this time, the reader reconnects.")
      .range(100, 600'000);
  table
      .add("reconnect-delay-min", config.reconnect_delay_min,
           "First pause after the immediate retry; it doubles after each failure.")
      .range(1, 3'600'000);
  table.add("reconnect-delay-max", config.reconnect_delay_max, "Longest pause between connection attempts.")
      .range(1, 3'600'000);
  table.add("no-retry", config.no_retry,
            "If the exchange cannot be reached, exit with 69 instead of trying again.");

  table.section("Filter");
  table
      .add("stdin", config.from_stdin,
           "Read raw frames from standard input, one per line, instead of connecting to the exchange.")
      .env("WS_READER_STDIN");
  table
      .add("stdout", config.to_stdout,
           "Write events to standard output as JSON lines instead of sending them to md-publisher.")
      .env("WS_READER_STDOUT");

  table.section("Link");
  table.add("source", config.source,
            "Unique name of this reader at md-publisher; by default the exchange's name.");
  table.add("runtime-dir", config.runtime_dir, "Folder of the sockets.")
      .env("RUNTIME_DIRECTORY")
      .value_name("DIR");
  table
      .add("events-endpoint", config.events_endpoint,
           "Where md-publisher receives events; by default ipc://RUNTIME-DIR/events.")
      .value_name("ENDPOINT");
  table
      .add("positions-endpoint", config.positions_endpoint,
           "Where md-publisher sends positions; by default ipc://RUNTIME-DIR/positions.")
      .value_name("ENDPOINT");
  table
      .add("metrics-endpoint", config.metrics_endpoint,
           "Where metrics-agent receives metrics; by default ipc://RUNTIME-DIR/metrics.")
      .value_name("ENDPOINT");
  table
      .add("tap-endpoint", config.tap_endpoint,
           "Where this reader offers each event to other programs; by default ipc://RUNTIME-DIR/tap-SOURCE. "
           "Write none to switch it off.")
      .value_name("ENDPOINT");
  config.security.add_options(table, {true, true, true});
  table
      .add("retain-bytes", config.retain_bytes,
           "Memory for events that Redis has not confirmed; beyond it they go to the spool on disk.")
      .range(1 << 20U, 1LL << 40U);
  table
      .add("spool", config.spool,
           "Which unconfirmed events go to disk. auto: those older than --spool-after; always: each event "
           "before it is sent; off: none, and at --retain-bytes the oldest are dropped.")
      .one_of({"auto", "always", "off"});
  table
      .add("spool-after", config.spool_after,
           "With --spool=auto: age at which an unconfirmed event goes to disk.")
      .range(0, 3'600'000);
  table.add("spool-bytes", config.spool_bytes, "Disk space for events; beyond it the oldest are dropped.")
      .range(1 << 20U, 1LL << 44U);
  table
      .add("state-dir", config.state_dir,
           "Folder of the spool file, spool-SOURCE.db; by default RUNTIME-DIR.")
      .env("STATE_DIRECTORY")
      .value_name("DIR");
  table
      .add("when-behind", config.when_behind,
           "What to keep while the oldest unconfirmed event is older than --behind-limit. keep: every event; "
           "latest: only the newest ticker and full book of each symbol. Per type: "
           "ticker=latest,orderbook=keep.")
      .value_name("POLICY");
  table
      .add("behind-limit", config.behind_limit,
           "Age of the oldest unconfirmed event from which --when-behind applies.")
      .range(100, 3'600'000);

  table.section("Observation");
  table.add("enable-metrics", config.enable_metrics, "Count and send metrics.");
  table.add("log-level", config.log_level, "Lowest level to log.")
      .one_of({"trace", "debug", "info", "warn", "error", "fatal"})
      .reloads();
  table.validate_with([&config] { return check(config); });
}

}  // namespace mdpipe::reader

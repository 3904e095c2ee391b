#include "tools/exchange-sim/venues/binance.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "libshared/json/json_string.hpp"
#include "libshared/text/ascii.hpp"
#include "tools/exchange-sim/frame_text.hpp"
#include "tools/exchange-sim/venues/binance_frames.hpp"

namespace mdpipe::sim {
namespace {

// "a=1&b=2": the value of `key`, percent-decoded.
std::string query_value(std::string_view query, std::string_view key) {
  for (const std::string_view pair : ascii::split(query, '&')) {
    const auto [name, value] = ascii::split_once(pair, '=');
    if (name == key) return ascii::percent_decoded(value).value_or("");
  }
  return {};
}

std::string bad_request(std::string_view why) {
  return fmt::format(R"({{"code":2,"msg":"Invalid request: {}"}})", why);
}

// The request's id as JSON text, "null" if there is none; nothing if its type is refused.
std::optional<std::string> id_of(const simdjson::dom::object& request) {
  simdjson::dom::element id;
  if (request["id"].get(id) != simdjson::SUCCESS || id.is_null()) return "null";
  if (!id.is_uint64() && !id.is_string()) return std::nullopt;
  return simdjson::minify(id);
}

std::vector<std::string> params_of(const simdjson::dom::object& request, bool& valid) {
  std::vector<std::string> names;
  simdjson::dom::array params;
  valid = request["params"].get(params) == simdjson::SUCCESS;
  if (!valid) return names;
  for (const simdjson::dom::element element : params) {
    std::string_view name;
    valid = valid && element.get(name) == simdjson::SUCCESS;
    names.emplace_back(name);
  }
  return names;
}

}  // namespace

Binance::Binance(std::vector<std::string> symbols, std::size_t requests_per_second)
    : symbols_(std::move(symbols)), requests_per_second_(requests_per_second) {
  for (const std::string& symbol : symbols_) lower_symbols_.push_back(ascii::lower(symbol));
}

Stream Binance::stream_of(const Session& session, std::string_view name) const {
  Stream stream;
  stream.name = std::string(name);
  stream.key = stream.name + (session.micros ? "#us" : "");
  const std::size_t at = name.find('@');
  if (at == std::string_view::npos) return stream;
  const auto type = binance::stream_type(name.substr(at + 1));
  const auto known = std::find(lower_symbols_.begin(), lower_symbols_.end(), name.substr(0, at));
  if (!type || known == lower_symbols_.end()) return stream;
  stream.symbol = static_cast<std::size_t>(known - lower_symbols_.begin());
  stream.kind = type->kind;
  stream.variant = binance::variant_of(type->form, session.micros);
  return stream;
}

void Binance::subscribe(Session& session, std::string_view name) const {
  Stream stream = stream_of(session, name);
  if (session.find(stream.key) == nullptr && session.streams.size() < Session::kStreamsMax) {
    session.streams.push_back(std::move(stream));
  }
}

void Binance::subscribe_all(Session& session, std::string_view names) const {
  for (const std::string_view name : ascii::split(names, '/')) {
    if (!name.empty()) subscribe(session, name);
  }
}

void Binance::on_open(Session& session, std::string_view resource) {
  session.limit = RequestLimit(requests_per_second_);
  const auto [path, query] = ascii::split_once(resource, '?');
  const std::string unit = query_value(query, "timeUnit");
  session.micros = unit == "MICROSECOND" || unit == "microsecond";
  if (ascii::starts_with(path, "/stream")) {
    session.combined = true;
    subscribe_all(session, query_value(query, "streams"));
  } else if (ascii::starts_with(path, "/ws/")) {
    subscribe_all(session, ascii::percent_decoded(path.substr(4)).value_or(""));
  }
}

Reply Binance::on_control(Session& session, SteadyTime now) {
  if (session.limit.admit(now)) return {};
  return {{}, CloseRequest{1008, "Too many requests"}};
}

Reply Binance::on_text(Session& session, std::string_view text, SteadyTime now) {
  if (Reply limited = on_control(session, now); limited.close) return limited;
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  if (parser.parse(text.data(), text.size()).get(document) != simdjson::SUCCESS) {
    return {{R"({"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"})"}, {}};
  }
  simdjson::dom::object request;
  if (document.get(request) != simdjson::SUCCESS) return {{bad_request("expected an object")}, {}};
  const auto id = id_of(request);
  if (!id) return {{bad_request("request ID must be an unsigned integer")}, {}};
  std::string_view method;
  if (request["method"].get(method) != simdjson::SUCCESS)
    return {{bad_request("missing field `method`")}, {}};
  if (method == "LIST_SUBSCRIPTIONS") {
    std::vector<std::string> names;
    for (const Stream& stream : session.streams) append_json_string(stream.name, names.emplace_back());
    return {{fmt::format(R"({{"result":[{}],"id":{}}})", fmt::join(names, ","), *id)}, {}};
  }
  if (method != "SUBSCRIBE" && method != "UNSUBSCRIBE") {
    return {
        {bad_request("unknown variant, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`")},
        {}};
  }
  bool valid = true;
  const std::vector<std::string> names = params_of(request, valid);
  if (!valid) return {{bad_request("params must be an array of strings")}, {}};
  for (const std::string& name : names) {
    if (method == "SUBSCRIBE") {
      subscribe(session, name);
    } else {
      session.drop(stream_of(session, name).key);
    }
  }
  return {{fmt::format(R"({{"result":null,"id":{}}})", *id)}, {}};
}

void Binance::render(const Stream& stream, const Market& market, const MarketEvent& event,
                     std::vector<std::string>& frames) const {
  binance::append_frames(stream, market, event, frames);
}

void Binance::cross_book(const Market& market, std::string& frame) const {
  const std::string price =
      decimal_text(market.best_ask() + market.spec().tick, {market.spec().price_decimals, 8});
  const std::string level = fmt::format(R"(["{}","1.00000000"])", price);
  insert_first(R"("b":[)", level, frame);     // of a delta
  insert_first(R"("bids":[)", level, frame);  // of a partial book
}

std::string Binance::wrap(const Session& session, const Stream& stream, std::string body) const {
  return session.combined ? fmt::format(R"({{"stream":"{}","data":{}}})", stream.name, body) : body;
}

std::optional<HttpReply> Binance::on_http(std::string_view resource,
                                          const std::vector<Market>& markets) const {
  const auto [path, query] = ascii::split_once(resource, '?');
  if (path != "/api/v3/depth") return std::nullopt;
  const auto known = std::find(symbols_.begin(), symbols_.end(), query_value(query, "symbol"));
  if (known == symbols_.end()) return HttpReply{400, R"({"code":-1121,"msg":"Invalid symbol."})"};
  constexpr std::size_t kLimitDefault = 100;
  constexpr std::size_t kLimitMax = 5000;
  std::size_t limit = kLimitDefault;
  const std::string limit_text = query_value(query, "limit");
  if (!limit_text.empty()) {
    const auto [end, ec] = std::from_chars(limit_text.data(), limit_text.data() + limit_text.size(), limit);
    if (ec != std::errc() || end != limit_text.data() + limit_text.size() || limit == 0) {
      return HttpReply{400, R"({"code":-1100,"msg":"Illegal characters found in parameter 'limit'."})"};
    }
  }
  const Market& market = markets[static_cast<std::size_t>(known - symbols_.begin())];
  return HttpReply{200, binance::depth_snapshot(market, std::min(limit, kLimitMax))};
}

std::optional<std::string> Binance::farewell(const Session& session, UnixNanos now) const {
  Stream shutdown;
  shutdown.name = "!serverShutdown";
  return wrap(session, shutdown, fmt::format(R"({{"e":"serverShutdown","E":{}}})", epoch_millis(now)));
}

std::string Binance::unknown_channel_frame() const {
  return R"({"e":"surprise","E":1,"s":"BTCUSDT","x":"1"})";
}

}  // namespace mdpipe::sim

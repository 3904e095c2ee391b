#include "md-publisher/streams/stream_key.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "libshared/config/options.hpp"

namespace mdpipe::publisher {
namespace {

std::optional<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_age(std::string_view text) {
  const auto age = config::parse_duration(text);
  if (!age || age->count() < 0) return std::nullopt;
  return static_cast<std::uint64_t>(age->count());
}

}  // namespace

Result<StreamNaming> StreamNaming::parse(std::string_view pattern) {
  const auto bad = [pattern](std::string_view why) {
    return Error{ErrorKind::BadConfig,
                 fmt::format("--stream-name '{}': {}; use text and {{type}}, {{exchange}}, {{symbol}}, "
                             "such as md:{{type}}",
                             pattern, why)};
  };
  if (pattern.empty()) return bad("it is empty");
  StreamNaming naming;
  while (!pattern.empty()) {
    const std::size_t open = std::min(pattern.find('{'), pattern.size());
    if (open > 0) naming.pieces_.push_back({Part::Literal, std::string(pattern.substr(0, open))});
    pattern.remove_prefix(open);
    if (pattern.empty()) break;
    const std::size_t close = pattern.find('}');
    if (close == std::string_view::npos) return bad("a '{' is not closed");
    const std::string_view word = pattern.substr(1, close - 1);
    if (word == "type") {
      naming.pieces_.push_back({Part::Type, {}});
    } else if (word == "exchange") {
      naming.pieces_.push_back({Part::Exchange, {}});
    } else if (word == "symbol") {
      naming.pieces_.push_back({Part::Symbol, {}});
    } else {
      return bad(fmt::format("there is no {{{}}}", word));
    }
    pattern.remove_prefix(close + 1);
  }
  return naming;
}

std::string StreamNaming::name(std::string_view type, std::string_view exchange,
                               std::string_view symbol) const {
  std::string out;
  for (const Piece& piece : pieces_) {
    switch (piece.part) {
      case Part::Literal:
        out += piece.literal;
        break;
      case Part::Type:
        out += type;
        break;
      case Part::Exchange:
        out += exchange;
        break;
      case Part::Symbol:
        out += symbol;
        break;
    }
  }
  return out;
}

std::optional<std::string> TrimPolicy::parse_items(std::string_view text, ParseValue parse_value,
                                                   ByType& out) {
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view item = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    const std::size_t equals = item.find('=');
    const auto value = parse_value(equals == std::string_view::npos ? item : item.substr(equals + 1));
    if (!value) return std::string(item);
    if (equals == std::string_view::npos) {
      out.usual = *value;
    } else {
      out.exceptions[std::string(item.substr(0, equals))] = *value;
    }
  }
  return std::nullopt;
}

Result<TrimPolicy> TrimPolicy::parse(std::string_view maxlen, std::string_view maxage) {
  TrimPolicy policy;
  if (const auto wrong = parse_items(maxlen, parse_count, policy.maxlen_)) {
    return Error{ErrorKind::BadConfig, fmt::format("--maxlen '{}': '{}' is no entry count; write 100000 or "
                                                   "100000,orderbook=20000 (0 does not trim)",
                                                   maxlen, *wrong)};
  }
  if (const auto wrong = parse_items(maxage, parse_age, policy.maxage_)) {
    return Error{ErrorKind::BadConfig, fmt::format("--maxage '{}': '{}' is no age; write 24h or "
                                                   "24h,orderbook=90m (0 does not trim)",
                                                   maxage, *wrong)};
  }
  return policy;
}

std::uint64_t TrimPolicy::ByType::of(std::string_view type) const {
  const auto found = exceptions.find(type);
  return found == exceptions.end() ? usual : found->second;
}

}  // namespace mdpipe::publisher

#include "ws-reader/venues/json_reader.hpp"

#include <algorithm>
#include <functional>

#include "libshared/event/decimal.hpp"
#include "ws-reader/venues/level_scan.hpp"

namespace mdpipe::venues {
namespace {

using simdjson::ondemand::json_type;

// simdjson's raw token runs up to the next structural character, white space included.
std::string_view trim_right(std::string_view token) {
  while (!token.empty() &&
         (token.back() == ' ' || token.back() == '\n' || token.back() == '\r' || token.back() == '\t')) {
    token.remove_suffix(1);
  }
  return token;
}

// simdjson tells types by their first character; this reads the rest of the word.
bool is_null(simdjson::ondemand::value value, json_type type) {
  if (type != json_type::null) return false;
  if (trim_right(value.raw_json_token()) != "null") throw BadFrame{"a word that is not JSON"};
  return true;
}

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// Equal prices keep their order without the buffer std::stable_sort allocates: the views of one frame lie in
// memory in the order in which they were read.
void sort_by(std::vector<Level>& levels, bool descending) {
  const auto before = [descending](const Level& a, const Level& b) {
    const int order = compare_decimals(a.price, b.price);
    if (order == 0) return std::less<>()(a.price.data(), b.price.data());
    return descending ? order > 0 : order < 0;
  };
  if (!std::is_sorted(levels.begin(), levels.end(), before)) std::sort(levels.begin(), levels.end(), before);
}

Level read_pair(simdjson::ondemand::array pair) {
  Level level;
  std::size_t index = 0;
  for (auto element : pair) {
    if (index == 0) level.price = read_decimal(element.value(), "a level's price is not a decimal number");
    if (index == 1)
      level.size = read_size(element.value(), "a level's size is not a decimal number of 0 or more");
    ++index;
  }
  return level;
}

Level read_object(simdjson::ondemand::object object) {
  Level level;
  for (auto member : object) {
    const std::string_view key = read_key(member);
    if (key == "price") {
      level.price = read_decimal(member.value(), "a level's price is not a decimal number");
    } else if (key == "size") {
      level.size = read_size(member.value(), "a level's size is not a decimal number of 0 or more");
    }
  }
  return level;
}

template <typename Scan, typename ReadEntry>
bool read_levels(simdjson::ondemand::value value, std::vector<Level>& levels, Scan&& scan,
                 ReadEntry&& read_entry) {
  levels.clear();
  if (is_null(value, value.type())) return false;
  simdjson::ondemand::array array = value.get_array();
  if (scan(array.raw_json())) return true;
  array.reset();
  levels.clear();
  for (auto entry : array) {
    const Level level = read_entry(entry.value());
    if (level.price.empty() || level.size.empty()) throw BadFrame{"a level lacks its price or size"};
    levels.push_back(level);
  }
  return true;
}

}  // namespace

simdjson::ondemand::document& JsonReader::read(std::string_view frame) {
  if (buffer_.size() < frame.size() + simdjson::SIMDJSON_PADDING)
    buffer_.resize(2 * frame.size() + simdjson::SIMDJSON_PADDING);
  std::copy(frame.begin(), frame.end(), buffer_.begin());
  document_ = parser_.iterate(simdjson::padded_string_view(buffer_.data(), frame.size(), buffer_.size()));
  return document_;
}

std::string_view read_key(simdjson::simdjson_result<simdjson::ondemand::field>& member) {
  const simdjson::ondemand::raw_json_string name = member.key();
  const char* const begin = name.raw();
  const char* end = begin;
  while (*end != '"' && *end != '\\') ++end;  // stage 1 has seen the closing quote
  if (*end == '\\') return member.unescaped_key();
  return {begin, static_cast<std::size_t>(end - begin)};
}

// Almost every decimal is a text without escapes: the token contains it between quotes, and no copy and no
// second check is needed.
Decimal read_decimal(simdjson::ondemand::value value, std::string_view reason) {
  const std::string_view token = value.raw_json_token();
  if (!token.empty() && token.front() == '"') {
    const std::string_view text = token.substr(1);
    const std::size_t length = decimal_length(text);
    if (length > 0 && length <= kDecimalCharsMax && length < text.size() && text[length] == '"')
      return text.substr(0, length);
  }
  const json_type type = value.type();
  if (is_null(value, type)) return {};
  if (type != json_type::string && type != json_type::number) throw BadFrame{reason};
  const Decimal text = read_untyped(value);
  if (!is_decimal(text)) throw BadFrame{reason};
  return text;
}

Decimal read_size(simdjson::ondemand::value value, std::string_view reason) {
  const Decimal text = read_decimal(value, reason);
  if (!text.empty() && text.front() == '-') throw BadFrame{reason};
  return text;
}

std::string_view read_text(simdjson::ondemand::value value, std::string_view reason) {
  const json_type type = value.type();
  if (is_null(value, type)) return {};
  if (type != json_type::string) throw BadFrame{reason};
  return value.get_string();
}

std::string_view read_id(simdjson::ondemand::value value, std::string_view reason) {
  constexpr std::size_t kIdCharsMax = 64;
  const json_type type = value.type();
  if (is_null(value, type)) return {};
  if (type != json_type::string && type != json_type::number) throw BadFrame{reason};
  const std::string_view text = read_untyped(value);
  if (text.empty() || text.size() > kIdCharsMax || has_control_characters(text)) throw BadFrame{reason};
  if (type == json_type::number && text.find_first_not_of("0123456789") != std::string_view::npos)
    throw BadFrame{reason};
  return text;
}

std::string_view read_untyped(simdjson::ondemand::value value) {
  const json_type type = value.type();
  if (type == json_type::string) return value.get_string();
  if (is_null(value, type)) return {};
  return trim_right(value.raw_json_token());
}

std::optional<std::uint64_t> read_uint(simdjson::ondemand::value value, std::string_view reason) {
  if (is_null(value, value.type())) return std::nullopt;
  std::uint64_t number = 0;
  if (value.get_uint64().get(number) != simdjson::SUCCESS) throw BadFrame{reason};
  return number;
}

std::optional<std::uint64_t> read_request_id(simdjson::ondemand::value value) {
  std::uint64_t number = 0;
  if (value.type() != json_type::number || value.get_uint64().get(number) != simdjson::SUCCESS)
    return std::nullopt;
  return number;
}

UnixNanos read_epoch(simdjson::ondemand::value value, std::string_view reason) {
  const std::string_view text = read_id(value, reason);
  if (text.empty()) return {};
  const auto time = parse_epoch(text);
  if (!time) throw BadFrame{reason};
  return *time;
}

UnixNanos iso8601_or_none(std::string_view text) {
  if (text.empty()) return {};
  const auto time = parse_iso8601(text);
  if (!time) throw BadFrame{"a time is not ISO 8601 in UTC"};
  return *time;
}

bool read_level_pairs(simdjson::ondemand::value value, std::vector<Level>& levels) {
  return read_levels(
      value, levels, [&levels](std::string_view json) { return scan_levels<QuotedPair>(json, levels); },
      [](simdjson::ondemand::value entry) { return read_pair(entry.get_array()); });
}

bool read_level_objects(simdjson::ondemand::value value, std::vector<Level>& levels) {
  return read_levels(
      value, levels,
      [&levels](std::string_view json) {
        return scan_levels<QuotedObject>(json, levels) || scan_levels<NumberObject>(json, levels);
      },
      [](simdjson::ondemand::value entry) { return read_object(entry.get_object()); });
}

void expect_symbol(std::string_view symbol) {
  constexpr std::size_t kSymbolBytesMax = 64;
  if (symbol.empty()) throw BadFrame{"no symbol"};
  if (symbol.size() > kSymbolBytesMax) throw BadFrame{"a symbol of more than 64 bytes"};
  if (has_control_characters(symbol)) throw BadFrame{"a symbol with control characters"};
}

void expect_end(simdjson::ondemand::document& document) {
  const char* rest = nullptr;
  if (document.current_location().get(rest) == simdjson::SUCCESS)
    throw BadFrame{"something follows the end of the JSON text"};
}

void sort_best_first(std::vector<Level>& bids, std::vector<Level>& asks) {
  sort_by(bids, true);
  sort_by(asks, false);
}

}  // namespace mdpipe::venues

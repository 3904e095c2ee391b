#pragma once
// Reads the levels of a book in one pass over their text, if the text has exactly the form that its exchange
// writes: no white space, no escapes, no other members. Most received bytes are levels, so this is faster
// than simdjson's general way, which reads every other form.
#include <cstring>
#include <string_view>
#include <vector>

#include "libshared/event/decimal.hpp"
#include "libshared/event/event.hpp"

namespace mdpipe::venues {

// The text around the two decimals of a level.
struct QuotedObject {  // GMO Coin
  static constexpr std::string_view before = R"({"price":")", between = R"(","size":")", after = R"("})";
};
struct NumberObject {  // bitFlyer
  static constexpr std::string_view before = R"({"price":)", between = R"(,"size":)", after = "}";
};
struct QuotedPair {  // Binance
  static constexpr std::string_view before = R"([")", between = R"(",")", after = R"("])";
};

// Replaces `levels` by those of `json`, a JSON array. False if the array contains anything but levels of this
// form with sizes that are not negative; the content of `levels` is then undefined.
template <typename Form>
bool scan_levels(std::string_view json, std::vector<Level>& levels) {
  const auto skip = [&json](std::string_view expected) {
    if (json.size() < expected.size() || std::memcmp(json.data(), expected.data(), expected.size()) != 0)
      return false;
    json.remove_prefix(expected.size());
    return true;
  };
  const auto take = [&json](Decimal& decimal) {
    decimal = json.substr(0, decimal_length(json));
    json.remove_prefix(decimal.size());
    return !decimal.empty() && decimal.size() <= kDecimalCharsMax;
  };
  levels.clear();
  if (!skip("[")) return false;
  if (skip("]")) return true;
  for (;;) {
    Level level;
    if (!skip(Form::before) || !take(level.price) || !skip(Form::between) || !take(level.size) ||
        !skip(Form::after) || level.size.front() == '-')
      return false;
    levels.push_back(level);
    if (skip("]")) return true;
    if (!skip(",")) return false;
  }
}

}  // namespace mdpipe::venues

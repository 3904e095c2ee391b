#pragma once
// The name of the stream an event belongs to, from a template, and how long each stream may grow.
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/result/result.hpp"

namespace mdpipe::publisher {

// "md:{type}" or "md:{exchange}:{type}:{symbol}", taken apart once.
class StreamNaming {
 public:
  // BadConfig names the placeholder that is not known.
  static Result<StreamNaming> parse(std::string_view pattern);

  [[nodiscard]] std::string name(std::string_view type, std::string_view exchange,
                                 std::string_view symbol) const;

 private:
  enum class Part { Literal, Type, Exchange, Symbol };
  struct Piece {
    Part part;
    std::string literal;
  };
  std::vector<Piece> pieces_;
};

// How long streams of a type may grow, in entries ("100000,orderbook=20000") and in age ("24h,orderbook=1h");
// 0 does not trim.
class TrimPolicy {
 public:
  static Result<TrimPolicy> parse(std::string_view maxlen, std::string_view maxage = "0");

  [[nodiscard]] std::uint64_t maxlen(std::string_view type) const { return maxlen_.of(type); }
  [[nodiscard]] std::chrono::milliseconds maxage(std::string_view type) const {
    return std::chrono::milliseconds(maxage_.of(type));
  }

 private:
  struct ByType {
    [[nodiscard]] std::uint64_t of(std::string_view type) const;
    std::uint64_t usual = 0;
    std::map<std::string, std::uint64_t, std::less<>> exceptions;
  };
  using ParseValue = std::optional<std::uint64_t> (*)(std::string_view);
  // The item that is wrong, if there is one.
  static std::optional<std::string> parse_items(std::string_view text, ParseValue parse_value, ByType& out);

  ByType maxlen_, maxage_;
};

}  // namespace mdpipe::publisher

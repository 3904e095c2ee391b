#pragma once
// The name of the stream an event belongs to, from a template, and how long each stream may grow.
#include <cstdint>
#include <map>
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

// MAXLEN by event type: "100000,orderbook=20000"; 0 does not trim.
class TrimPolicy {
 public:
  static Result<TrimPolicy> parse(std::string_view text);

  [[nodiscard]] std::uint64_t maxlen(std::string_view type) const;

 private:
  std::uint64_t default_ = 0;
  std::map<std::string, std::uint64_t, std::less<>> by_type_;
};

}  // namespace mdpipe::publisher

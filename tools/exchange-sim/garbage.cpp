#include "tools/exchange-sim/garbage.hpp"

#include <algorithm>

namespace mdpipe::sim {
namespace {

constexpr std::size_t kNesting = 100'000;
constexpr std::size_t kLongDigits = 400;
constexpr std::size_t kHugeBytes = 4U << 20U;

// The first number of the frame with 400 digits instead.
std::string with_long_number(std::string_view good) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  for (std::size_t i = 1; i < good.size(); ++i) {
    const bool starts =
        is_digit(good[i]) && (good[i - 1] == ':' || (good[i - 1] == '"' && i > 1 && good[i - 2] == ':'));
    if (!starts) continue;
    std::size_t end = i;
    while (end < good.size() && is_digit(good[end])) ++end;
    // A time begins with digits too, followed by '-'.
    if (end < good.size() && good[end] == '-') continue;
    return std::string(good.substr(0, i)) + std::string(kLongDigits, '7') + std::string(good.substr(end));
  }
  return R"({"price":)" + std::string(kLongDigits, '7') + "}";
}

}  // namespace

const std::vector<std::string>& garbage_kinds() {
  static const std::vector<std::string> kinds = {
      "truncated", "binary", "invalid-utf8", "deep-nesting", "long-number", "unknown-channel", "huge"};
  return kinds;
}

GarbageFrame Garbage::next(std::string_view good) {
  const std::string& kind = kinds_[at_++ % kinds_.size()];
  const auto known = std::find(garbage_kinds().begin(), garbage_kinds().end(), kind);
  GarbageFrame frame;
  frame.kind = *known;
  switch (known - garbage_kinds().begin()) {
    case 0:
      frame.payload = good.empty()
                          ? "{\"cut"
                          : std::string(good.substr(0, std::max<std::size_t>(1, good.size() * 2 / 3)));
      break;
    case 1:
      frame.opcode = Opcode::Binary;
      frame.payload = std::string("\x00\x01\x02\xff\xfe binary", 12);
      break;
    case 2:
      frame.payload = "{\"channel\":\"\xc3\x28\xff\"}";
      break;
    case 3:
      frame.payload = std::string(kNesting, '[');
      break;
    case 4:
      frame.payload = with_long_number(good);
      break;
    case 5:
      frame.payload = unknown_channel_;
      break;
    default:
      frame.payload = R"({"channel":")" + std::string(kHugeBytes, 'x') + R"("})";
  }
  return frame;
}

}  // namespace mdpipe::sim

#include "md-publisher/transaction/cursor.hpp"

#include <fmt/format.h>

#include <charconv>

namespace mdpipe::publisher {

std::string format_cursor(std::uint64_t epoch, std::uint64_t seq) { return fmt::format("{}:{}", epoch, seq); }

bool parse_cursor(std::string_view text, std::uint64_t& epoch, std::uint64_t& seq) {
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, epoch);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ':') return false;
  const auto second = std::from_chars(first.ptr + 1, end, seq);
  return second.ec == std::errc() && second.ptr == end;
}

}  // namespace mdpipe::publisher

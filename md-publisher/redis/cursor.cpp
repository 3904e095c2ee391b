#include "md-publisher/redis/cursor.hpp"

#include <fmt/format.h>

#include <charconv>

namespace mdpipe::publisher {

std::string format_cursor(const Cursor& cursor) { return fmt::format("{}:{}", cursor.epoch, cursor.seq); }

std::optional<Cursor> parse_cursor(std::string_view text) {
  Cursor cursor;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, cursor.epoch);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ':') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, cursor.seq);
  if (second.ec != std::errc() || second.ptr != end) return std::nullopt;
  return cursor;
}

Cursors read_cursors(const Reply& hash) {
  Cursors cursors;
  for (std::size_t i = 0; i + 1 < hash.element_count; i += 2) {
    if (const auto cursor = parse_cursor(hash.elements[i + 1].text))
      cursors.insert_or_assign(hash.elements[i].text, *cursor);
  }
  return cursors;
}

}  // namespace mdpipe::publisher

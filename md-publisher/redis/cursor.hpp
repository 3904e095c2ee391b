#pragma once
// How far the events of one reader have reached Redis. The hash of cursors holds it as "epoch:seq", by
// source. That text is read where the hash is read and written where the hash is set; everywhere else it is a
// value.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "md-publisher/redis/reply_reader.hpp"

namespace mdpipe::publisher {

struct Cursor {
  std::uint64_t epoch = 0;  // of the reader's run
  std::uint64_t seq = 0;    // of the last event that Redis holds
};

inline bool operator==(const Cursor& a, const Cursor& b) { return a.epoch == b.epoch && a.seq == b.seq; }
inline bool operator!=(const Cursor& a, const Cursor& b) { return !(a == b); }
inline bool operator<(const Cursor& a, const Cursor& b) {
  return a.epoch != b.epoch ? a.epoch < b.epoch : a.seq < b.seq;
}

using Cursors = std::map<std::string, Cursor, std::less<>>;  // by source

// "1795383946620062384:4711"
std::string format_cursor(const Cursor& cursor);
std::optional<Cursor> parse_cursor(std::string_view text);

// Reads the answer to HGETALL; skips fields that hold no cursor.
Cursors read_cursors(const Reply& hash);

}  // namespace mdpipe::publisher

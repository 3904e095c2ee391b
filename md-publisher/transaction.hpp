#pragma once
// One MULTI ... EXEC: events of one or more readers and, with them, each reader's cursor, so that Redis holds
// both or neither. Built while the one before is on its way.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/time/time.hpp"
#include "md-publisher/stream_table.hpp"

namespace mdpipe::publisher {

class Transaction {
 public:
  struct Entry {
    const Stream* stream = nullptr;
    UnixNanos recv;
    std::uint32_t bytes = 0;  // of the XADD command
  };
  struct Cursor {
    std::uint64_t epoch = 0;
    std::uint64_t seq = 0;
  };

  Transaction();

  // `body` holds `words` bulk strings: the entry's fields and values.
  void add(const Stream& stream, std::string_view body, std::size_t words, UnixNanos recv);
  void set_cursor(const std::string& source, Cursor cursor) { cursors_[source] = cursor; }

  // Adds the cursors and EXEC; nothing may be added afterwards.
  void seal(std::string_view cursor_key);
  void clear();

  [[nodiscard]] bool empty() const { return cursors_.empty(); }
  [[nodiscard]] const std::string& commands() const { return commands_; }
  [[nodiscard]] std::size_t command_count() const {
    return entries_.size() + 3;
  }  // with MULTI, HSET and EXEC
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  [[nodiscard]] const std::map<std::string, Cursor>& cursors() const { return cursors_; }

 private:
  std::string commands_;
  std::vector<Entry> entries_;
  std::map<std::string, Cursor> cursors_;
};

}  // namespace mdpipe::publisher

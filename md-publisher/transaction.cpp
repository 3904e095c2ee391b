#include "md-publisher/transaction.hpp"

#include "md-publisher/resp.hpp"
#include "md-publisher/source_ledger.hpp"

namespace mdpipe::publisher {

Transaction::Transaction() { clear(); }

void Transaction::clear() {
  commands_.clear();
  entries_.clear();
  cursors_.clear();
  resp::append_command(commands_, "MULTI");
}

void Transaction::add(const Stream& stream, std::string_view body, std::size_t words, UnixNanos recv) {
  const std::size_t before = commands_.size();
  resp::append_array(stream.front_words + words, commands_);
  commands_.append(stream.xadd_front);
  commands_.append(body);
  entries_.push_back({&stream, recv, static_cast<std::uint32_t>(commands_.size() - before)});
}

void Transaction::seal(std::string_view cursor_key) {
  resp::append_array(2 + 2 * cursors_.size(), commands_);
  resp::append_bulk("HSET", commands_);
  resp::append_bulk(cursor_key, commands_);
  for (const auto& [source, cursor] : cursors_) {
    resp::append_bulk(source, commands_);
    resp::append_bulk(format_cursor(cursor.epoch, cursor.seq), commands_);
  }
  resp::append_command(commands_, "EXEC");
}

}  // namespace mdpipe::publisher

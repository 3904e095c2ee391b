#include "md-publisher/transaction/transaction.hpp"

#include "md-publisher/redis/resp.hpp"

namespace mdpipe::publisher {

Transaction::Transaction() { clear(); }

void Transaction::clear() {
  if (burst_.is_over(commands_.size(), commands_.capacity())) {
    std::string().swap(commands_);
    std::vector<Entry>().swap(entries_);
  }
  commands_.clear();
  sealed_at_ = 0;
  entries_.clear();
  batches_.clear();
  for (const StreamTotals& totals : stream_totals_) totals_places_[totals.stream->id] = 0;
  for (const TouchedKey& touched : touched_) touched_places_[touched.key->id] = 0;
  stream_totals_.clear();
  touched_.clear();
  length_checks_.clear();
  states_.clear();
  cursors_.clear();
  resp::append_command(commands_, "MULTI");
  first_entry_offset_ = commands_.size();
}

void Transaction::begin_batch(const std::string& source, std::uint64_t epoch) {
  if (!batches_.empty() && batches_.back().source == source && batches_.back().epoch == epoch) return;
  batches_.push_back({source, epoch, entries_.size()});
}

void Transaction::add(const Stream& stream, std::string_view body, std::size_t words, UnixNanos recv,
                      std::uint64_t seq) {
  const std::size_t before = commands_.size();
  resp::append_array(stream.front_words + words, commands_);
  commands_.append(stream.xadd_front);
  commands_.append(body);
  const std::size_t bytes = commands_.size() - before;
  Entry& entry = entries_.emplace_back();
  entry.stream = &stream;
  entry.recv = recv;
  entry.bytes = static_cast<std::uint32_t>(bytes);
  entry.seq = seq;
  StreamTotals& totals = totals_of(stream);
  ++totals.entries;
  totals.bytes += bytes;
}

Transaction::StreamTotals& Transaction::totals_of(const Stream& stream) {
  if (stream.id >= totals_places_.size()) totals_places_.resize(stream.id + 1);
  std::uint32_t& place = totals_places_[stream.id];
  if (place == 0) {
    stream_totals_.push_back({&stream, 0, 0});
    place = static_cast<std::uint32_t>(stream_totals_.size());
    touch(*stream.key);
  }
  return stream_totals_[place - 1];
}

void Transaction::touch(const RedisKey& key) {
  if (key.id >= touched_places_.size()) touched_places_.resize(key.id + 1);
  std::uint32_t& place = touched_places_[key.id];
  if (place != 0) return;
  touched_.push_back({&key, 0});
  place = static_cast<std::uint32_t>(touched_.size());
}

void Transaction::seal(const HashKeys& keys, const StreamLengths& lengths, SteadyTime now) {
  if (sealed_at_ == 0) sealed_at_ = commands_.size();
  commands_.resize(sealed_at_);
  length_checks_.clear();
  cursor_key_ = keys.cursors;
  state_key_ = keys.states;
  for (TouchedKey& touched : touched_) touched.entries = 0;
  for (const StreamTotals& totals : stream_totals_)
    touched_[touched_places_[totals.stream->key->id] - 1].entries += totals.entries;
  for (const TouchedKey& touched : touched_) {
    if (!lengths.is_check_due(*touched.key, now)) continue;
    length_checks_.push_back(touched.key);
    resp::append_command(commands_, "XLEN", touched.key->name);
  }
  if (!states_.empty()) {
    resp::append_array(2 + 2 * states_.size(), commands_);
    resp::append_bulk("HSET", commands_);
    resp::append_bulk(keys.states, commands_);
    for (const auto& [field, value] : states_) {
      resp::append_bulk(field, commands_);
      resp::append_bulk(value, commands_);
    }
  }
  if (!cursors_.empty()) {
    resp::append_array(2 + 2 * cursors_.size(), commands_);
    resp::append_bulk("HSET", commands_);
    resp::append_bulk(keys.cursors, commands_);
    for (const auto& [source, cursor] : cursors_) {
      resp::append_bulk(source, commands_);
      resp::append_bulk(format_cursor(cursor), commands_);
    }
  }
  resp::append_command(commands_, "EXEC");
}

Transaction::Command Transaction::command(std::size_t index) const {
  if (index == 0) return {"MULTI", {}};
  --index;
  if (index < entries_.size()) return {"XADD", entries_[index].stream->key->name};
  index -= entries_.size();
  if (index < length_checks_.size()) return {"XLEN", length_checks_[index]->name};
  index -= length_checks_.size();
  if (!states_.empty() && index-- == 0) return {"HSET", state_key_};
  if (!cursors_.empty() && index == 0) return {"HSET", cursor_key_};
  return {"EXEC", {}};
}

}  // namespace mdpipe::publisher

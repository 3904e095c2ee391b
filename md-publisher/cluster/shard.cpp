#include "md-publisher/cluster/shard.hpp"

#include <algorithm>

#include "md-publisher/resp.hpp"
#include "md-publisher/source_ledger.hpp"

namespace mdpipe::publisher {

std::size_t Shard::prepare(const Transaction& transaction, const RoundId& round, std::string& out) {
  answered_ = 0;
  refused_ = {};
  sent_.clear();
  is_reading_ = !is_known_;
  if (is_reading_) {
    resp::append_command(out, "HGETALL", cursor_key_);
    return answers_ = 1;
  }
  changed_.clear();
  const auto done = cursors_.find(round.publisher);
  if (done != cursors_.end() && done->second.epoch == round.life && done->second.seq == round.number)
    return 0;
  const std::size_t start = out.size();
  resp::append_command(out, "MULTI");
  for (const Placed& placed : entries_) {
    const Transaction::Entry& entry = transaction.entries()[placed.entry];
    if (is_there(placed, entry)) continue;
    out.append(transaction.commands(), placed.offset, entry.bytes);
    sent_.push_back(placed);
    note(placed, entry);
  }
  if (sent_.empty()) return out.resize(start), 0;
  changed_[round.publisher] = {round.life, round.number};
  resp::append_array(2 + 2 * changed_.size(), out);
  resp::append_bulk("HSET", out);
  resp::append_bulk(cursor_key_, out);
  for (const auto& [source, cursor] : changed_) {
    resp::append_bulk(source, out);
    resp::append_bulk(format_cursor(cursor.epoch, cursor.seq), out);
  }
  resp::append_command(out, "EXEC");
  return answers_ = sent_.size() + 3;
}

bool Shard::is_there(const Placed& placed, const Transaction::Entry& entry) const {
  if (placed.batch == nullptr || entry.seq == 0) return false;
  const auto cursor = cursors_.find(placed.batch->source);
  return cursor != cursors_.end() && cursor->second.epoch == placed.batch->epoch &&
         entry.seq <= cursor->second.seq;
}

// What an earlier life of a reader left behind comes beside its present one and has no cursor any more.
void Shard::note(const Placed& placed, const Transaction::Entry& entry) {
  if (placed.batch == nullptr || entry.seq == 0) return;
  const std::string& source = placed.batch->source;
  const auto known = cursors_.find(source);
  if (known != cursors_.end() && placed.batch->epoch < known->second.epoch) return;
  Transaction::Cursor& cursor = changed_[source];
  if (placed.batch->epoch >= cursor.epoch) cursor = {placed.batch->epoch, entry.seq};
}

Shard::Next Shard::on_reply(const Reply& reply, const Transaction& transaction, Outcome& outcome) {
  ++answered_;
  if (!is_reading_) return on_write_reply(reply, transaction, outcome);
  if (reply.is_error()) {
    refused_ = {classify(reply.text), reply.text, "HGETALL", cursor_key_};
    return Next::Refused;
  }
  read_cursors(reply);
  return Next::Again;
}

Shard::Next Shard::on_write_reply(const Reply& reply, const Transaction& transaction, Outcome& outcome) {
  const bool is_last = answered_ == answers_;
  if (reply.is_error() && refused_.error.empty()) {
    const std::size_t at = answered_ - 2;  // behind MULTI
    const bool is_entry = answered_ >= 2 && at < sent_.size();
    const auto* key = is_entry ? transaction.entries()[sent_[at].entry].stream->key : nullptr;
    refused_ = {classify(reply.text), reply.text,
                is_entry  ? "XADD"
                : is_last ? "EXEC"
                          : "HSET",
                is_entry ? key->name : cursor_key_};
  }
  if (!is_last) return Next::More;
  if (reply.type != Reply::Type::Array || reply.element_count != sent_.size() + 1) {
    const bool nothing = reply.is_error() &&
                         (says_nothing_was_written(reply.text) || classify(reply.text) == Refusal::Cluster);
    if (!nothing) forget();
    return Next::Refused;
  }
  for (std::size_t i = 0; i < sent_.size(); ++i) {
    const Reply::Element& element = reply.elements[i];
    if (element.type == Reply::Type::Error)
      outcome.refused.push_back({&transaction.entries()[sent_[i].entry], element.text});
  }
  return Next::Done;
}

void Shard::end_round() {
  for (const auto& [source, cursor] : changed_) cursors_[source] = cursor;
  changed_.clear();
  entries_.clear();
}

void Shard::read_cursors(const Reply& reply) {
  Cursors read;
  for (std::size_t i = 0; i + 1 < reply.element_count; i += 2) {
    Transaction::Cursor cursor;
    if (parse_cursor(reply.elements[i + 1].text, cursor.epoch, cursor.seq))
      read[reply.elements[i].text] = cursor;
  }
  const bool is_behind =
      ever_known_ && std::any_of(cursors_.begin(), cursors_.end(), [&read](const auto& known) {
        const auto now = read.find(known.first);
        return now == read.end() || now->second.epoch < known.second.epoch ||
               (now->second.epoch == known.second.epoch && now->second.seq < known.second.seq);
      });
  has_lost_ = has_lost_ || is_behind;
  cursors_ = std::move(read);
  is_known_ = ever_known_ = true;
}

}  // namespace mdpipe::publisher

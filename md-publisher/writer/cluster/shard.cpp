#include "md-publisher/writer/cluster/shard.hpp"

#include <algorithm>

#include "md-publisher/redis/resp.hpp"

namespace mdpipe::publisher {

std::size_t Shard::prepare(const Transaction& transaction, const RoundId& round, SteadyTime now,
                           std::string& out) {
  answered_ = 0;
  error_ = {};
  sent_.clear();
  written_.clear();
  length_checks_.clear();
  if (!is_known_) return ask_cursors(out);
  changed_.clear();
  const auto done = cursors_.find(round.publisher);
  if (done != cursors_.end() && done->second == Cursor{round.run, round.number}) return 0;
  if (preflight_.prepare(touched_, {})) return ask_lengths(out);
  return write(transaction, round, now, out);
}

std::size_t Shard::ask_cursors(std::string& out) {
  step_ = Step::ReadCursors;
  resp::append_command(out, "HGETALL", cursor_key_);
  return answers_ = 1;
}

// As one, so that all are asked of the same node while the slot moves.
std::size_t Shard::ask_lengths(std::string& out) {
  step_ = Step::ReadLengths;
  resp::append_command(out, "MULTI");
  out += preflight_.commands();
  resp::append_command(out, "EXEC");
  return answers_ = preflight_.question_count() + 2;
}

std::size_t Shard::write(const Transaction& transaction, const RoundId& round, SteadyTime now,
                         std::string& out) {
  step_ = Step::Write;
  const std::size_t start = out.size();
  resp::append_command(out, "MULTI");
  for (const ShardEntry& placed : entries_) {
    const Transaction::Entry& entry = transaction.entries()[placed.entry];
    if (is_there(placed, entry)) continue;
    out.append(transaction.commands(), placed.offset, entry.bytes);
    sent_.push_back(placed);
    note(placed, entry);
  }
  if (sent_.empty()) return out.resize(start), 0;
  for (const auto& touched : touched_) {
    if (!lengths_.is_check_due(*touched.key, now)) continue;
    length_checks_.push_back({touched.key, {}, now});
    resp::append_command(out, "XLEN", touched.key->name);
  }
  changed_[round.publisher] = {round.run, round.number};
  resp::append_array(2 + 2 * changed_.size(), out);
  resp::append_bulk("HSET", out);
  resp::append_bulk(cursor_key_, out);
  for (const auto& [source, cursor] : changed_) {
    resp::append_bulk(source, out);
    resp::append_bulk(format_cursor(cursor), out);
  }
  resp::append_command(out, "EXEC");
  return answers_ = sent_.size() + length_checks_.size() + 3;
}

bool Shard::is_there(const ShardEntry& placed, const Transaction::Entry& entry) const {
  if (placed.batch == nullptr || entry.seq == 0) return false;
  const auto cursor = cursors_.find(placed.batch->source);
  return cursor != cursors_.end() && cursor->second.epoch == placed.batch->epoch &&
         entry.seq <= cursor->second.seq;
}

// Events that an earlier run of a reader left behind may come beside those of its present run; they have no
// cursor any more.
void Shard::note(const ShardEntry& placed, const Transaction::Entry& entry) {
  if (placed.batch == nullptr || entry.seq == 0) return;
  const std::string& source = placed.batch->source;
  const auto known = cursors_.find(source);
  if (known != cursors_.end() && placed.batch->epoch < known->second.epoch) return;
  Cursor& cursor = changed_[source];
  if (placed.batch->epoch >= cursor.epoch) cursor = {placed.batch->epoch, entry.seq};
}

Shard::Next Shard::on_reply(const Reply& reply, const Transaction& transaction, SteadyTime now,
                            Outcome& outcome) {
  ++answered_;
  switch (step_) {
    case Step::ReadCursors:
      return on_cursors(reply);
    case Step::ReadLengths:
      return on_lengths(reply, now, outcome);
    case Step::Write:
      break;
  }
  return on_written(reply, transaction, now, outcome);
}

Shard::Next Shard::on_cursors(const Reply& reply) {
  if (reply.is_error()) {
    error_ = {classify(reply.text), reply.text, "HGETALL", cursor_key_};
    return Next::Failed;
  }
  accept_cursors(read_cursors(reply));
  return Next::Again;
}

Shard::Next Shard::on_lengths(const Reply& reply, SteadyTime now, Outcome& outcome) {
  if (reply.is_error() && error_.text.empty())
    error_ = {classify(reply.text), reply.text, "XLEN", touched_.front().key->name};
  if (answered_ < answers_) return Next::More;
  const bool is_forbidden = error_.kind == RedisErrorKind::NoPerm && !error_.text.empty();
  if (reply.type != Reply::Type::Array && !is_forbidden) return Next::Failed;
  for (std::size_t i = 0; i < preflight_.question_count(); ++i) {
    Reply length;
    length.type = is_forbidden ? Reply::Type::Error : reply.elements[i].type;
    length.text = is_forbidden ? error_.text : reply.elements[i].text;
    length.integer = is_forbidden ? 0 : reply.elements[i].integer;
    preflight_.on_reply(length, now);
  }
  outcome.removed.insert(outcome.removed.end(), preflight_.removed().begin(), preflight_.removed().end());
  unguarded_ = preflight_.unguarded();
  if (!preflight_.problem()) return Next::Again;
  error_ = *preflight_.problem();
  return Next::Failed;
}

// Which command an answer to a write belongs to, and its key.
std::pair<std::string, std::string> Shard::command_of(std::size_t answer,
                                                      const Transaction& transaction) const {
  if (answer == 0) return {"MULTI", {}};
  const std::size_t at = answer - 1;
  if (at < sent_.size()) return {"XADD", transaction.entries()[sent_[at].entry].stream->key->name};
  if (at < sent_.size() + length_checks_.size())
    return {"XLEN", length_checks_[at - sent_.size()].stream->name};
  return {at == sent_.size() + length_checks_.size() ? "HSET" : "EXEC", cursor_key_};
}

Shard::Next Shard::on_written(const Reply& reply, const Transaction& transaction, SteadyTime now,
                              Outcome& outcome) {
  if (reply.is_error() && error_.text.empty()) {
    const auto [command, key] = command_of(answered_ - 1, transaction);
    error_ = {classify(reply.text), reply.text, command, key};
  }
  if (answered_ < answers_) return Next::More;
  if (reply.type != Reply::Type::Array || reply.element_count + 2 != answers_) {
    const bool nothing = reply.is_error() && (says_nothing_was_written(reply.text) ||
                                              classify(reply.text) == RedisErrorKind::Cluster);
    if (!nothing) forget();
    if (info(error_.kind).policy == RetryPolicy::Slow) preflight_.forget();  // it may be any key
    return Next::Failed;
  }
  take_executed(reply, transaction, now, outcome);
  return Next::Done;
}

void Shard::take_executed(const Reply& exec, const Transaction& transaction, SteadyTime now,
                          Outcome& outcome) {
  const auto* element = exec.elements.data();
  for (const ShardEntry& placed : sent_) {
    const Transaction::Entry& entry = transaction.entries()[placed.entry];
    if (element->type == Reply::Type::Error) {
      outcome.refused.push_back({&entry, element->text});
      preflight_.forget();  // the next is not lost to the same key
    } else {
      written_.push_back(entry.stream->key);
    }
    ++element;
  }
  for (LengthCheck& look : length_checks_) {
    look.at = now;
    if (element->type == Reply::Type::Integer) look.length = static_cast<std::uint64_t>(element->integer);
    ++element;
  }
  on_cursors_set(*element);
}

// HSET says how many of the fields are new. A cursor that was there and is new again was deleted, and with
// it most likely all that the node had.
void Shard::on_cursors_set(const Reply::Element& answer) {
  const auto is_new = [this](const auto& changed) { return cursors_.find(changed.first) == cursors_.end(); };
  const auto expected = std::count_if(changed_.begin(), changed_.end(), is_new);
  if (answer.type == Reply::Type::Integer && answer.integer <= expected) return;
  forget();  // what is there now, or whether it is a hash at all, has to be seen before more is written
  if (answer.type == Reply::Type::Error) return;
  has_lost_ = true;
  cursors_.clear();
  length_checks_.clear();
}

void Shard::end_round(Outcome& outcome) {
  for (const RedisKey* stream : written_) lengths_.on_written(*stream, 1);
  for (const LengthCheck& look : length_checks_) {
    if (!look.length) continue;
    const auto removed = lengths_.on_length(*look.stream, *look.length, look.at);
    if (removed > 0) outcome.removed.push_back({look.stream, removed});
  }
  for (const auto& [source, cursor] : changed_) cursors_[source] = cursor;
  written_.clear();
  length_checks_.clear();
  changed_.clear();
  entries_.clear();
  touched_.clear();
}

void Shard::accept_cursors(Cursors read) {
  const bool is_behind =
      ever_known_ && std::any_of(cursors_.begin(), cursors_.end(), [&read](const auto& known) {
        const auto now = read.find(known.first);
        return now == read.end() || now->second < known.second;
      });
  has_lost_ = has_lost_ || is_behind;
  cursors_ = std::move(read);
  is_known_ = ever_known_ = true;
}

}  // namespace mdpipe::publisher

#include "md-publisher/source_ledger.hpp"

#include <algorithm>

namespace mdpipe::publisher {

namespace {

// What a dead reader left in its connection was sent before its successor started; a message sent this much
// later comes from a reader that is still running.
constexpr std::int64_t kDuplicateAfterNs = 5'000'000'000;

void note_loss(Progress& progress, std::uint64_t after, std::uint64_t to) {
  progress.lost_after = after;
  progress.lost_to = to;
}

}  // namespace

Decision SourceLedger::on_batch(const wire::BatchHeader& header) {
  Decision decision;
  auto found = sources_.find(header.source);
  if (found == sources_.end()) {
    if (sources_.size() >= sources_max_) {
      decision.verdict = Verdict::Rejected;
      return decision;
    }
    found = sources_.emplace(header.source, Progress{}).first;
  }
  Progress& progress = progress_of(header, found->second, decision);
  if (progress.is_duplicate_reader) {
    decision.verdict = Verdict::Rejected;
    return decision;
  }
  if (progress.closed && !header.closes) {
    decision.verdict = Verdict::Duplicate;
    return decision;
  }
  progress.closed = progress.closed || header.closes;
  if (header.confirmed > progress.accepted) {
    decision.lost_redis = header.confirmed - progress.accepted;
    note_loss(progress, progress.accepted, header.confirmed);
    progress.accepted = header.confirmed;
    progress.confirmed = std::max(progress.confirmed, header.confirmed);
  }
  // Does not wait for what the reader can no longer send.
  const std::uint64_t gone = header.oldest > 0 ? header.oldest - 1 : 0;
  if (gone > progress.accepted) {
    decision.dropped = gone - progress.accepted;
    progress.accepted = gone;
  }
  const std::uint64_t last = header.first_seq + header.count - 1;
  if (header.count == 0 || last <= progress.accepted) {
    decision.verdict = Verdict::Duplicate;
    return decision;
  }
  if (header.first_seq > progress.accepted + 1) {
    if (header.follows > progress.accepted) {
      decision.verdict = Verdict::Hole;
      return decision;
    }
    decision.dropped += header.first_seq - progress.accepted - 1;
    progress.accepted = header.first_seq - 1;
  }
  decision.skip = static_cast<std::uint32_t>(progress.accepted + 1 - header.first_seq);
  progress.accepted = last;
  return decision;
}

// A reader that was killed leaves messages in its connection, and they arrive mixed with those of its
// successor. So the progress of each run is kept: a later epoch becomes the present one. Batches of a known
// earlier epoch are still accepted, unless its reader turns out to be running: then it was first, and the
// later reader is the duplicate. An unknown earlier epoch is most likely a reader whose clock was set back.
Progress& SourceLedger::progress_of(const wire::BatchHeader& header, Progress& current, Decision& decision) {
  constexpr std::size_t kPastMax = 8;
  if (current.epoch == header.epoch) return current;
  auto& past = past_[header.source];
  const auto known =
      std::find_if(past.begin(), past.end(), [&](const Progress& run) { return run.epoch == header.epoch; });
  if (known != past.end() && known->is_duplicate_reader) return *known;
  if (known != past.end() && header.epoch < current.epoch) {
    if (header.sent_ns < static_cast<std::int64_t>(current.epoch) + kDuplicateAfterNs) return *known;
    decision.found_duplicate_reader = true;
    std::swap(*known, current);
    known->is_duplicate_reader = true;
    return current;
  }
  // A reader that restarted counts from 1; events before its oldest one were dropped, not missed.
  Progress next;
  next.epoch = header.epoch;
  if (known != past.end()) {
    next = *known;
    past.erase(known);
  }
  if (current.epoch != 0) past.push_back(current);
  if (past.size() > kPastMax) past.erase(past.begin());
  return current = next;
}

void SourceLedger::on_confirmed(const std::string& source, const Cursor& cursor) {
  const auto confirm = [&](Progress& progress) {
    if (progress.epoch == cursor.epoch) progress.confirmed = cursor.seq;
  };
  if (const auto found = sources_.find(source); found != sources_.end()) confirm(found->second);
  if (const auto found = past_.find(source); found != past_.end())
    std::for_each(found->second.begin(), found->second.end(), confirm);
}

std::vector<std::string> SourceLedger::on_cursors(const Cursors& cursors) {
  std::vector<std::string> behind;
  std::map<std::string, Progress, std::less<>> stored;
  for (const auto& [source, cursor] : cursors) {
    if (stored.size() >= sources_max_ || source.size() > wire::kSourceCharsMax) continue;
    Progress& progress = stored[source];
    progress.epoch = cursor.epoch;
    progress.accepted = progress.confirmed = cursor.seq;
  }
  for (auto& [source, known] : sources_) {
    const auto cursor = stored.find(source);
    const bool same_epoch = cursor != stored.end() && cursor->second.epoch == known.epoch;
    if (same_epoch && cursor->second.confirmed >= known.confirmed) {
      note_loss(cursor->second, known.lost_after, known.lost_to);
      cursor->second.closed = known.closed;
      continue;
    }
    // The reader no longer keeps what was confirmed once, so it continues from there. A reader of which
    // nothing was ever confirmed stays known too: only a position makes it send again.
    if (known.confirmed > 0) {
      behind.push_back(source);
      note_loss(known, same_epoch ? cursor->second.confirmed : 0, known.confirmed);
    }
    known.accepted = known.confirmed;
    stored[source] = known;
  }
  sources_ = std::move(stored);
  for (auto& [source, runs] : past_) {
    for (Progress& run : runs) run.accepted = run.confirmed;
  }
  return behind;
}

}  // namespace mdpipe::publisher

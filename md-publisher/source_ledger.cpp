#include "md-publisher/source_ledger.hpp"

#include <fmt/format.h>

#include <charconv>

namespace mdpipe::publisher {

Decision SourceLedger::on_batch(const wire::BatchHeader& header) {
  auto found = sources_.find(header.source);
  if (found == sources_.end()) {
    if (sources_.size() >= sources_max_) return {Verdict::Refused, 0, 0};
    found = sources_.emplace(header.source, Progress{}).first;
  }
  Progress& progress = found->second;
  if (progress.epoch != header.epoch) {
    // A reader that started anew counts from 1; what its oldest event leaves out was dropped, not missed.
    progress = Progress{header.epoch, 0, 0};
  }
  Decision decision;
  if (header.oldest > progress.accepted + 1) {
    decision.lost = header.oldest - progress.accepted - 1;
    progress.accepted = header.oldest - 1;
  }
  const std::uint64_t expected = progress.accepted + 1;
  const std::uint64_t last = header.first_seq + header.count - 1;
  if (header.count == 0 || last < expected) {
    decision.verdict = Verdict::Duplicate;
  } else if (header.first_seq > expected) {
    decision.verdict = Verdict::Hole;
  } else {
    decision.skip = static_cast<std::uint32_t>(expected - header.first_seq);
    progress.accepted = last;
  }
  return decision;
}

void SourceLedger::on_confirmed(const std::string& source, std::uint64_t epoch, std::uint64_t seq) {
  const auto found = sources_.find(source);
  if (found == sources_.end() || found->second.epoch != epoch) return;
  found->second.confirmed = seq;
}

std::vector<std::string> SourceLedger::on_cursors(
    const std::vector<std::pair<std::string, std::string>>& cursors) {
  std::vector<std::string> behind;
  std::map<std::string, Progress, std::less<>> stored;
  for (const auto& [source, text] : cursors) {
    Progress progress;
    if (stored.size() < sources_max_ && source.size() <= wire::kSourceCharsMax &&
        parse_cursor(text, progress.epoch, progress.confirmed)) {
      progress.accepted = progress.confirmed;
      stored[source] = progress;
    }
  }
  for (auto& [source, known] : sources_) {
    const auto cursor = stored.find(source);
    const bool same_epoch = cursor != stored.end() && cursor->second.epoch == known.epoch;
    if (same_epoch && cursor->second.confirmed >= known.confirmed) continue;
    if (known.confirmed == 0 && cursor == stored.end()) continue;
    if (known.confirmed > 0) behind.push_back(source);
    // The reader has let go of what was confirmed once; it goes on from there.
    known.accepted = known.confirmed;
    stored[source] = known;
  }
  sources_ = std::move(stored);
  return behind;
}

std::string format_cursor(std::uint64_t epoch, std::uint64_t seq) { return fmt::format("{}:{}", epoch, seq); }

bool parse_cursor(std::string_view text, std::uint64_t& epoch, std::uint64_t& seq) {
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, epoch);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ':') return false;
  const auto second = std::from_chars(first.ptr + 1, end, seq);
  return second.ec == std::errc() && second.ptr == end;
}

}  // namespace mdpipe::publisher

#include "md-publisher/transaction/gap_notes.hpp"

namespace mdpipe::publisher {
namespace {

void note(GapNotes::Notes& notes, const Stream& feed, const GapNote& added) {
  const auto [found, is_new] = notes.try_emplace(&feed, added);
  if (is_new) return;
  GapNote& known = found->second;
  known.reason = added.reason;
  if (known.lost && added.lost) {
    *known.lost += *added.lost;
  } else {
    known.lost.reset();
  }
}

}  // namespace

void GapNotes::on_removed(const Removed& removed) {
  const bool alone = removed.key->feeds.size() == 1;
  for (const Stream* feed : removed.key->feeds) {
    note(waiting_, *feed,
         {"someone deleted or trimmed the stream", alone ? std::optional(removed.entries) : std::nullopt});
  }
}

void GapNotes::on_stream_lost(const RedisKey& key) {
  for (const Stream* feed : key.feeds)
    note(waiting_, *feed, {"Redis failed over and lost the newest events", {}});
}

void GapNotes::on_rejected(const Stream& stream) { note(waiting_, stream, {"Redis refused the events", 1}); }

const GapNotes::Notes& GapNotes::begin_writing() {
  in_flight_.swap(waiting_);
  return in_flight_;
}

void GapNotes::on_lost() {
  for (const auto& [feed, gap] : in_flight_) note(waiting_, *feed, gap);
  in_flight_.clear();
}

}  // namespace mdpipe::publisher

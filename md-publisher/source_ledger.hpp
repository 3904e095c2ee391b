#pragma once
// What md-publisher knows of each reader: its epoch, up to where its events were accepted, up to where Redis
// has confirmed them. Decides what of a batch is new, and recognises holes, data that Redis lost, and two
// readers of one name. Pure core.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/wire/link.hpp"
#include "md-publisher/redis/cursor.hpp"

namespace mdpipe::publisher {

// One run of a reader.
struct Progress {
  std::uint64_t epoch = 0;
  std::uint64_t accepted = 0;
  std::uint64_t confirmed = 0;
  // Redis had once confirmed the events (lost_after, lost_to] and no longer holds them.
  std::uint64_t lost_after = 0;
  std::uint64_t lost_to = 0;
  bool is_duplicate_reader = false;  // a second reader of this name, started while the first one was running
  bool closed = false;  // the next reader says that this one is dead: nothing more of it is accepted
};

enum class Verdict {
  Accept,     // the events after `skip` are new
  Duplicate,  // all of it was accepted before or comes too late, or there is nothing in it
  Hole,       // something before it is missing: the reader has to send again from accepted + 1
  Rejected,   // more sources than the limit, or a second reader of the name
};

struct Decision {
  Verdict verdict = Verdict::Accept;
  std::uint32_t skip = 0;     // events at the front of the batch that were accepted before
  std::uint64_t dropped = 0;  // events before it that the reader dropped; its gap events say which
  // Events that Redis had once confirmed and no longer holds, found with this batch.
  std::uint64_t lost_redis = 0;
  bool found_duplicate_reader = false;  // another reader of this name is running
};

class SourceLedger {
 public:
  explicit SourceLedger(std::size_t sources_max = 1024) : sources_max_(sources_max) {}

  Decision on_batch(const wire::BatchHeader& header);

  // Redis confirmed everything of this source up to `cursor`.
  void on_confirmed(const std::string& source, const Cursor& cursor);

  // Redis was reached: `cursors` say what it holds. What was accepted but not confirmed is forgotten, so that
  // the readers send it again. Returns the sources whose cursor is behind what Redis had confirmed before: it
  // lost data.
  std::vector<std::string> on_cursors(const Cursors& cursors);

  [[nodiscard]] const std::map<std::string, Progress, std::less<>>& sources() const { return sources_; }
  // Earlier runs of readers, whose messages may still come in; a few of each source.
  [[nodiscard]] const std::map<std::string, std::vector<Progress>, std::less<>>& past() const {
    return past_;
  }

 private:
  Progress& progress_of(const wire::BatchHeader& header, Progress& current, Decision& decision);

  std::map<std::string, Progress, std::less<>> sources_;
  std::map<std::string, std::vector<Progress>, std::less<>> past_;
  std::size_t sources_max_;
};

}  // namespace mdpipe::publisher

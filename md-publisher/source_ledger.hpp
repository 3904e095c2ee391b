#pragma once
// What md-publisher knows of each reader: its epoch, up to where its events were taken, up to where Redis has
// confirmed them. Decides what of a batch is new, and recognises holes. Pure core.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libshared/wire/link.hpp"

namespace mdpipe::publisher {

struct Progress {
  std::uint64_t epoch = 0;
  std::uint64_t accepted = 0;
  std::uint64_t confirmed = 0;
};

enum class Verdict {
  Accept,     // the events after `skip` are new
  Duplicate,  // all of it was taken before
  Hole,       // something before it is missing: the reader has to send again from accepted + 1
  Refused,    // more sources than the limit
};

struct Decision {
  Verdict verdict = Verdict::Accept;
  std::uint32_t skip = 0;  // events at the front of the batch that were taken before
  std::uint64_t lost = 0;  // events the reader no longer has and Redis never got
};

class SourceLedger {
 public:
  explicit SourceLedger(std::size_t sources_max = 1024) : sources_max_(sources_max) {}

  Decision on_batch(const wire::BatchHeader& header);

  // Redis confirmed everything of this source up to `seq`.
  void on_confirmed(const std::string& source, std::uint64_t epoch, std::uint64_t seq);

  // Redis was reached: `cursors` (source -> "epoch:seq") say what it holds. What was taken but not confirmed
  // is taken back. Returns the sources whose cursor is behind what Redis had confirmed before: it lost data.
  std::vector<std::string> on_cursors(const std::vector<std::pair<std::string, std::string>>& cursors);

  [[nodiscard]] const std::map<std::string, Progress, std::less<>>& sources() const { return sources_; }
  // Earlier lives of readers, of which messages may still come in; a few of each source.
  [[nodiscard]] const std::map<std::string, std::vector<Progress>, std::less<>>& past() const {
    return past_;
  }

 private:
  Progress& progress_of(const wire::BatchHeader& header, Progress& current);

  std::map<std::string, Progress, std::less<>> sources_;
  std::map<std::string, std::vector<Progress>, std::less<>> past_;
  std::size_t sources_max_;
};

// "1795383946620062384:4711" <-> epoch and seq.
std::string format_cursor(std::uint64_t epoch, std::uint64_t seq);
bool parse_cursor(std::string_view text, std::uint64_t& epoch, std::uint64_t& seq);

}  // namespace mdpipe::publisher

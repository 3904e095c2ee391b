#pragma once
// Finds out from the length of a stream alone that someone else deleted or trimmed entries. Other writers
// only make a stream longer, and our own trimming never goes below its limit; a stream that is shorter than
// both allow was cut by someone else. Pure: others ask Redis.
#include <algorithm>
#include <cstdint>
#include <optional>

#include "libshared/time/time.hpp"

namespace mdpipe::publisher {

class StreamWatch {
 public:
  // Whether the length is worth asking for again: at most once a second.
  [[nodiscard]] bool is_due(SteadyTime now) const;

  // Redis confirmed so many more entries of ours.
  void on_written(std::uint64_t entries) { written_ += entries; }
  // Redis rejected so many of them.
  void on_rejected(std::uint64_t entries) { written_ -= entries; }
  // So many we removed ourselves, besides what `maxlen` of on_length removes.
  void on_trimmed(std::uint64_t entries) { trimmed_ += entries; }
  // About how many entries there are.
  [[nodiscard]] std::uint64_t length() const {
    return length_ + written_ - std::min(trimmed_, length_ + written_);
  }

  // The length now, with all entries that on_written reported; it may include entries of which we do not know
  // whether they were written. We trim to about `maxlen`; 0: we do not. Returns how many entries someone else
  // removed since the check before, at least.
  std::uint64_t on_length(std::uint64_t length, std::uint64_t maxlen, SteadyTime now);

  // Redis itself lost data: the next length is the first again.
  void forget() { checked_at_.reset(); }

 private:
  std::optional<SteadyTime> checked_at_;
  std::uint64_t length_ = 0;   // at that check
  std::uint64_t written_ = 0;  // since that check
  std::uint64_t trimmed_ = 0;  // the same
};

}  // namespace mdpipe::publisher

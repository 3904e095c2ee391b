#pragma once
// Decides when memory that a burst needed is given back: when far less of it has been needed for long enough.
// Until then it stays, so that neither busy nor quiet times allocate again and again. Pure.
#include <algorithm>
#include <chrono>
#include <cstddef>

#include "libshared/time/time.hpp"

namespace mdpipe::process {

// Less than an eighth of memory that is worth giving back is in use.
constexpr bool is_mostly_unused(std::size_t used, std::size_t held, std::size_t worth_bytes) {
  return held >= worth_bytes && used < held / 8;
}

// For a buffer that is filled and emptied in turn: counts uses.
class BurstMemory {
 public:
  static constexpr std::size_t kKeptBytes = 256U << 10U;  // never given back
  static constexpr unsigned kUses = 256;

  // A use of `used` bytes has ended, of `held`. True: give back.
  bool is_over(std::size_t used, std::size_t held) {
    small_uses_ = is_mostly_unused(used, held, kKeptBytes + 1) ? small_uses_ + 1 : 0;
    if (small_uses_ < kUses) return false;
    small_uses_ = 0;
    return true;
  }

 private:
  unsigned small_uses_ = 0;
};

// For a backlog that grows and shrinks: waits for a time. glibc by itself gives back only what is at the
// heap's end.
class BacklogMemory {
 public:
  // `held` bytes are waiting at `now`. True, once, when a backlog of a megabyte or more has been gone for
  // five seconds.
  bool is_over(std::size_t held, SteadyTime now) {
    peak_ = std::max(peak_, held);
    if (!is_mostly_unused(held, peak_, kBacklogBytesMin)) gone_since_ = now;
    if (now - gone_since_ < kGoneFor) return false;
    peak_ = held;
    return true;
  }

 private:
  static constexpr std::size_t kBacklogBytesMin = 1U << 20U;
  static constexpr std::chrono::seconds kGoneFor{5};

  std::size_t peak_ = 0;
  SteadyTime gone_since_{};
};

}  // namespace mdpipe::process

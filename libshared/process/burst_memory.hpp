#pragma once
// Decides when memory that a burst needed is given back: once many uses in a row have needed far less of it.
// Until then it is kept, so that neither a busy feed nor a quiet one allocates for each use.
#include <cstddef>

namespace mdpipe::publisher {

class BurstMemory {
 public:
  static constexpr std::size_t kKeptBytes = 256U << 10U;  // so little is never given back
  static constexpr unsigned kUses = 256;

  // A use of `used` bytes has ended, of `held`. True: give back.
  bool is_over(std::size_t used, std::size_t held) {
    const bool is_small = held > kKeptBytes && used < held / 8;
    small_uses_ = is_small ? small_uses_ + 1 : 0;
    if (small_uses_ < kUses) return false;
    small_uses_ = 0;
    return true;
  }

 private:
  unsigned small_uses_ = 0;
};

}  // namespace mdpipe::publisher

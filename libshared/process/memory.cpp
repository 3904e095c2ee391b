#include "libshared/process/memory.hpp"

#include <malloc.h>

#include <algorithm>

namespace mdpipe::process {
namespace {

// Larger blocks are mapped on their own and given back when freed. It is glibc's own value, which it raises
// to 32 MB by itself once such a block is freed, unless it is set.
constexpr int kMapBytesMin = 128 << 10;
// So much free memory at the heap's end is kept (twice the above by default, and raised with it).
constexpr int kTrimBytes = 128 << 10;
// One heap for all threads instead of one each: only the loop's thread allocates all the time; ZeroMQ's and
// CivetWeb's threads hold a megabyte in heaps of their own otherwise.
constexpr int kArenasMax = 1;

constexpr std::size_t kBacklogBytesMin = 1U << 20U;
constexpr auto kGoneFor = std::chrono::seconds(5);

}  // namespace

void set_up_allocator() {
  mallopt(M_MMAP_THRESHOLD, kMapBytesMin);
  mallopt(M_TRIM_THRESHOLD, kTrimBytes);
  mallopt(M_ARENA_MAX, kArenasMax);
}

void give_memory_back() { malloc_trim(0); }

bool BacklogMemory::is_over(std::size_t held, SteadyTime now) {
  peak_ = std::max(peak_, held);
  const bool is_gone = held < peak_ / 8;
  if (peak_ < kBacklogBytesMin || !is_gone) gone_since_ = now;
  if (now - gone_since_ < kGoneFor) return false;
  peak_ = held;
  return true;
}

}  // namespace mdpipe::process

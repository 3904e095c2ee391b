#include "libshared/process/memory.hpp"

#include <malloc.h>

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

}  // namespace

void set_up_allocator() {
  mallopt(M_MMAP_THRESHOLD, kMapBytesMin);
  mallopt(M_TRIM_THRESHOLD, kTrimBytes);
  mallopt(M_ARENA_MAX, kArenasMax);
}

void give_memory_back() { malloc_trim(0); }

}  // namespace mdpipe::process

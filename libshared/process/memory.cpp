#include "libshared/process/memory.hpp"

#include <malloc.h>

namespace mdpipe::process {
namespace {

// Larger blocks are mapped separately and given back when they are freed. This is glibc's default; but unless
// it is set, glibc raises it up to 32 MB as soon as such a block is freed.
constexpr int kMapBytesMin = 128 << 10;
// This much free memory at the end of the heap stays (the default is twice the above and rises with it).
constexpr int kTrimBytes = 128 << 10;
// One heap for all threads instead of one for each: only the loop's thread allocates often. Otherwise the
// threads of ZeroMQ and CivetWeb would each hold a megabyte in their own heaps.
constexpr int kArenasMax = 1;

}  // namespace

void set_up_allocator() {
  mallopt(M_MMAP_THRESHOLD, kMapBytesMin);
  mallopt(M_TRIM_THRESHOLD, kTrimBytes);
  mallopt(M_ARENA_MAX, kArenasMax);
}

void give_memory_back() { malloc_trim(0); }

}  // namespace mdpipe::process

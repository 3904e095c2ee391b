#include "libshared/process/memory.hpp"

#include <malloc.h>
#include <sys/mman.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string_view>

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

// Only mappings that are read and executed: nothing in them can have been changed, so all of it is in the
// file.
void release_code_pages() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> maps(std::fopen("/proc/self/maps", "re"),
                                                             std::fclose);
  if (!maps) return;
  char line[512];
  while (std::fgets(line, sizeof line, maps.get()) != nullptr) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char permissions[5] = {};
    char path_begin = 0;
    const int found = std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %*s %c", &begin, &end,
                                  permissions, &path_begin);
    if (found == 4 && path_begin == '/' && std::string_view(permissions) == "r-xp")
      // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel says addresses as numbers
      madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
}

}  // namespace mdpipe::process

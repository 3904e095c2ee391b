#pragma once
// What glibc's allocator is told, so that a program's resident memory is what it uses and not what it used at
// its largest moment.
#include <cstddef>

#include "libshared/time/time.hpp"

namespace mdpipe::process {

// Call once, before the first thread.
void set_up_allocator();

// Gives the host all memory that is free, also what lies between pieces in use: milliseconds.
void give_memory_back();

// When the memory of a backlog may be given back: glibc by itself gives back only what lies at the heap's
// end. Pure.
class BacklogMemory {
 public:
  // `held` bytes are waiting at `now`. True, once, when a backlog of a megabyte or more has been gone for
  // five seconds.
  bool is_over(std::size_t held, SteadyTime now);

 private:
  std::size_t peak_ = 0;
  SteadyTime gone_since_{};
};

}  // namespace mdpipe::process

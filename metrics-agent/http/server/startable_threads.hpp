#pragma once
// How many threads may still be started. The kernel does not tell before one is: limits are those of the user
// (RLIMIT_NPROC), of the service (TasksMax=) and of every folder of control groups above it. For the start:
// it takes a few milliseconds.
#include <cstddef>

namespace mdpipe::agent {

// As many as could be started side by side, at most `wanted`; all of them have ended again.
std::size_t startable_threads(std::size_t wanted);

}  // namespace mdpipe::agent

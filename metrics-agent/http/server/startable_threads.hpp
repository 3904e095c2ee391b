#pragma once
// How many threads can still be started. This can only be tried: there are limits of the user (RLIMIT_NPROC),
// of the service (TasksMax=) and of every control group above it. Takes a few milliseconds; for the start of
// the program.
#include <cstddef>

namespace mdpipe::agent {

// The number of threads that could run side by side, at most `wanted`; all of them have ended on return.
std::size_t startable_threads(std::size_t wanted);

}  // namespace mdpipe::agent

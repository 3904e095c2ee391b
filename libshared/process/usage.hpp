#pragma once
// The resources that this process uses, from the kernel, for the process_* metrics (with the same meaning as
// in Prometheus's client libraries).
#include <cstdint>

namespace mdpipe::process {

struct Usage {
  double cpu_seconds = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_fds = 0;
  std::uint64_t max_fds = 0;
  double start_time_seconds = 0;  // Unix time
};

Usage read_usage();

}  // namespace mdpipe::process

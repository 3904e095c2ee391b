#include "libshared/process/usage.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

namespace mdpipe::process {
namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

std::uint64_t count_open_fds() {
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  std::uint64_t count = 0;
  while (readdir(folder) != nullptr) ++count;  // NOLINT(concurrency-mt-unsafe): the stream is ours alone
  closedir(folder);
  return count < 3 ? 0 : count - 3;  // ".", ".." and the folder's own descriptor
}

// Start of the process since boot plus the boot time: constant, so read once.
double read_start_time() {
  std::ifstream stat("/proc/self/stat");
  std::string text((std::istreambuf_iterator<char>(stat)), std::istreambuf_iterator<char>());
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  constexpr int kFieldsBeforeStart = 19;  // proc(5): starttime is field 22, the name was field 2
  for (int i = 0; i < kFieldsBeforeStart; ++i) fields >> skipped;
  double start_ticks = 0;
  fields >> start_ticks;
  std::ifstream boot("/proc/stat");
  std::string key;
  double boot_time = 0;
  while (boot >> key) {
    if (key == "btime") {
      boot >> boot_time;
      break;
    }
    boot.ignore(1'000'000, '\n');
  }
  return boot_time + start_ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

Usage read_usage() {
  static const double start_time = read_start_time();
  Usage usage;
  rusage self{};
  getrusage(RUSAGE_SELF, &self);
  usage.cpu_seconds = seconds(self.ru_utime) + seconds(self.ru_stime);
  if (std::FILE* statm = std::fopen("/proc/self/statm", "re")) {
    unsigned long virtual_pages = 0;
    unsigned long resident_pages = 0;
    if (std::fscanf(statm, "%lu %lu", &virtual_pages, &resident_pages) ==
        2) {  // NOLINT(cert-err34-c): the kernel's numbers
      const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
      usage.virtual_bytes = virtual_pages * page;
      usage.resident_bytes = resident_pages * page;
    }
    (void)std::fclose(statm);
  }
  usage.open_fds = count_open_fds();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) usage.max_fds = limit.rlim_cur;
  usage.start_time_seconds = start_time;
  return usage;
}

}  // namespace mdpipe::process

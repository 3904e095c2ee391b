#include "libshared/process/usage.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <ctime>

namespace mdpipe::process {
namespace {

TEST(Usage, is_what_the_kernel_says_of_this_process) {
  const Usage usage = read_usage();
  EXPECT_GT(usage.resident_bytes, 100'000U);
  EXPECT_GE(usage.virtual_bytes, usage.resident_bytes);
  EXPECT_GE(usage.max_fds, usage.open_fds);
  const auto now = static_cast<double>(time(nullptr));
  EXPECT_LE(usage.start_time_seconds, now + 2);
  EXPECT_GT(usage.start_time_seconds, now - 3600);
}

TEST(Usage, counts_open_descriptors) {
  const auto before = read_usage().open_fds;
  const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(read_usage().open_fds, before + 1);
  close(fd);
  EXPECT_EQ(read_usage().open_fds, before);
}

TEST(Usage, processor_time_grows_with_work) {
  const double before = read_usage().cpu_seconds;
  const std::clock_t start = std::clock();
  while (std::clock() - start < CLOCKS_PER_SEC / 20) {
  }
  EXPECT_GT(read_usage().cpu_seconds, before);
}

}  // namespace
}  // namespace mdpipe::process

#include "libshared/process/memory.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "libshared/process/burst_memory.hpp"
#include "libshared/process/usage.hpp"

namespace mdpipe::process {
namespace {

using std::chrono::seconds;

constexpr std::size_t kMiB = 1U << 20U;

SteadyTime at(int second) { return SteadyTime(seconds(1000 + second)); }

TEST(BacklogMemory, is_over_once_the_backlog_has_been_gone_for_a_while) {
  BacklogMemory memory;
  EXPECT_FALSE(memory.is_over(8 * kMiB, at(0)));
  EXPECT_FALSE(memory.is_over(0, at(4)));
  EXPECT_FALSE(memory.is_over(2 * kMiB, at(4)));  // it comes and goes
  EXPECT_FALSE(memory.is_over(0, at(8)));
  EXPECT_TRUE(memory.is_over(0, at(9)));
  EXPECT_FALSE(memory.is_over(0, at(100))) << "once for each backlog";
}

TEST(BacklogMemory, what_is_small_is_none) {
  BacklogMemory memory;
  EXPECT_FALSE(memory.is_over(kMiB - 1, at(0)));
  EXPECT_FALSE(memory.is_over(0, at(100)));
}

// Pieces before one that stays in use: without our call, glibc returns none of the memory before that one.
TEST(Memory, that_is_free_is_resident_no_more) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's allocator is not glibc's";
#endif
  std::vector<std::string> backlog;
  for (int i = 0; i < 20'000; ++i) backlog.emplace_back(1000, 'x');
  const auto stays = std::make_unique<std::string>(1000, 'x');
  const std::size_t before = read_usage().resident_bytes;
  backlog.clear();
  give_memory_back();
  EXPECT_LT(read_usage().resident_bytes, before - 10 * kMiB);
}

}  // namespace
}  // namespace mdpipe::process

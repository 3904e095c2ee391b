#include "libshared/pacing/request_pacer.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

namespace mdpipe::pacing {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

nanoseconds boot_now() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec) + nanoseconds(now.tv_nsec);
}

// Each slot lies between two readings of the clock around reserve().
struct Slot {
  nanoseconds earliest, latest;
};

Slot take_slot(RequestPacer& pacer) {
  const nanoseconds before = boot_now();
  const nanoseconds wait = pacer.reserve();
  return {before + wait - milliseconds(1), boot_now() + wait};
}

class RequestPacerTest : public testing::Test {
 protected:
  RequestPacerTest() {
    char name[] = "/tmp/mdpipe-pacer-XXXXXX";
    folder_ = mkdtemp(name);
    file_ = folder_ + "/pace-gmo";
  }
  ~RequestPacerTest() override { std::filesystem::remove_all(folder_); }

  void write_file(const std::string& bytes) const { std::ofstream(file_, std::ios::binary) << bytes; }
  void write_slot(nanoseconds slot) const {
    const std::int64_t count = slot.count();
    write_file({reinterpret_cast<const char*>(&count), sizeof count});
  }

  std::string folder_, file_;
};

TEST_F(RequestPacerTest, gives_the_first_slot_at_once_and_spaces_the_others) {
  RequestPacer pacer(milliseconds(1000), "");
  const Slot first = take_slot(pacer);
  EXPECT_LE(first.latest - boot_now(), milliseconds(1));
  Slot before = first;
  for (int i = 0; i < 5; ++i) {
    const Slot next = take_slot(pacer);
    EXPECT_GE(next.latest - before.earliest, milliseconds(1000));
    before = next;
  }
}

TEST_F(RequestPacerTest, an_interval_of_zero_never_waits) {
  RequestPacer pacer(milliseconds(0), "");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(pacer.reserve(), milliseconds(0));
}

// Spacing seen from outside: at least the interval, but for the error of reading the clock twice.
void expect_spaced(std::vector<Slot> slots, milliseconds interval) {
  std::sort(slots.begin(), slots.end(), [](const Slot& a, const Slot& b) { return a.earliest < b.earliest; });
  for (std::size_t i = 1; i < slots.size(); ++i)
    EXPECT_GE(slots[i].latest - slots[i - 1].earliest, interval) << i;
}

TEST_F(RequestPacerTest, readers_of_one_host_share_their_slots) {
  constexpr int kThreads = 4;
  constexpr int kSlots = 25;
  std::vector<std::vector<Slot>> taken(kThreads);
  std::vector<std::thread> threads;
  for (auto& own : taken) {
    threads.emplace_back([this, &own] {
      RequestPacer pacer(milliseconds(1000), file_);
      for (int i = 0; i < kSlots; ++i) own.push_back(take_slot(pacer));
    });
  }
  for (auto& thread : threads) thread.join();
  std::vector<Slot> all;
  for (const auto& own : taken) all.insert(all.end(), own.begin(), own.end());
  expect_spaced(all, milliseconds(1000));
  const auto last =
      std::max_element(all.begin(), all.end(), [](auto& a, auto& b) { return a.latest < b.latest; });
  EXPECT_GE(last->latest - boot_now(), milliseconds(1000 * (kThreads * kSlots - 1) - 5000));
}

TEST_F(RequestPacerTest, a_process_that_ended_still_counts) {
  const pid_t child = fork();
  if (child == 0) {
    RequestPacer pacer(milliseconds(5000), file_);
    pacer.reserve();
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  RequestPacer pacer(milliseconds(5000), file_);
  const auto wait = pacer.reserve();
  EXPECT_GT(wait, milliseconds(1000));
  EXPECT_LE(wait, milliseconds(5000));
}

TEST_F(RequestPacerTest, a_slot_of_the_past_costs_nothing) {
  write_slot(boot_now() - std::chrono::hours(1));
  EXPECT_EQ(RequestPacer(milliseconds(1000), file_).reserve(), milliseconds(0));
}

TEST_F(RequestPacerTest, a_slot_of_another_boot_is_not_waited_for) {
  write_slot(boot_now() + std::chrono::hours(24));
  EXPECT_EQ(RequestPacer(milliseconds(1000), file_).reserve(), milliseconds(0));
  EXPECT_GT(RequestPacer(milliseconds(1000), file_).reserve(), milliseconds(0));
}

TEST_F(RequestPacerTest, a_file_that_holds_nonsense_is_started_anew) {
  for (const std::string& bytes :
       {std::string(), std::string("abc"), std::string(64, '\xff'), std::string(8, '\x7f')}) {
    write_file(bytes);
    EXPECT_EQ(RequestPacer(milliseconds(1000), file_).reserve(), milliseconds(0)) << bytes.size();
    EXPECT_GT(RequestPacer(milliseconds(1000), file_).reserve(), milliseconds(0)) << bytes.size();
  }
}

TEST_F(RequestPacerTest, paces_this_reader_alone_where_the_file_cannot_be_opened) {
  RequestPacer pacer(milliseconds(1000), folder_ + "/missing/pace");
  EXPECT_EQ(pacer.reserve(), milliseconds(0));
  EXPECT_GT(pacer.reserve(), milliseconds(900));
}

}  // namespace
}  // namespace mdpipe::pacing

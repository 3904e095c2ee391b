// A kill is simulated by copying the file while its owner runs: the copy is what the next run would find.
#include "libshared/metrics/counter_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

namespace mdpipe::metrics {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

class CounterFileTest : public testing::Test {
 protected:
  CounterFileTest() {
    char name[] = "/tmp/mdpipe-counters-XXXXXX";
    folder_ = mkdtemp(name);
    options_ = {path("counters"), "ws-reader", "gmo", 8, 4, "boot-1", 2};
  }
  ~CounterFileTest() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string bytes() const {
    std::ifstream file(options_.path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& bytes) const {
    std::ofstream(options_.path, std::ios::binary | std::ios::trunc) << bytes;
  }
  // One run: two counters and a histogram between them, then a kill.
  void live() {
    auto file = CounterFile::open(options_, 100);
    ASSERT_TRUE(file);
    *file.value().add("collector_reconnects_total", {"gmo"}) += 7;
    file.value().add_histogram("collector_exchange_latency_seconds", {"gmo", "trade"})->observe(1'000'000);
    *file.value().add("collector_errors_total", {"ws-reader", "parse_error"}) += 3;
    fs::copy_file(options_.path, path("killed"));
    file = Error{ErrorKind::Unavailable, ""};
    fs::rename(path("killed"), options_.path);
  }
  bool was_set_aside() const { return fs::exists(options_.path + ".unusable"); }

  std::string folder_;
  CounterFileOptions options_;
};

TEST_F(CounterFileTest, what_was_counted_outlives_a_kill) {
  live();
  auto file = CounterFile::open(options_, 200);
  ASSERT_TRUE(file);
  EXPECT_EQ(file.value().origin(), 100U);
  const auto& found = file.value().recovered();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].name, "collector_reconnects_total");
  EXPECT_THAT(found[0].labels, ElementsAre("gmo"));
  EXPECT_EQ(*found[0].total, 7U);
  EXPECT_THAT(found[1].labels, ElementsAre("gmo", "trade"));
  ASSERT_NE(found[1].histogram, nullptr);
  EXPECT_EQ(found[1].histogram->totals().count, 1U);
  EXPECT_DOUBLE_EQ(found[1].histogram->totals().sum_ns, 1e6);
  EXPECT_THAT(found[2].labels, ElementsAre("ws-reader", "parse_error"));
  EXPECT_EQ(*found[2].total, 3U);
}

TEST_F(CounterFileTest, a_damaged_histogram_sets_the_file_aside) {
  live();
  std::string changed = bytes();
  const std::size_t bucket = 4096 + options_.counters_max * 8 + options_.pending_max * 16 + 200;
  changed[bucket] = 7;
  write(changed);
  EXPECT_EQ(CounterFile::open(options_, 200).value().origin(), 200U);
  EXPECT_TRUE(was_set_aside());
}

TEST_F(CounterFileTest, there_is_room_for_so_many_histograms) {
  auto file = CounterFile::open(options_, 100);
  EXPECT_NE(file.value().add_histogram("a", {}), nullptr);
  EXPECT_NE(file.value().add_histogram("b", {}), nullptr);
  EXPECT_EQ(file.value().add_histogram("c", {}), nullptr);
  EXPECT_NE(file.value().add("d", {}), nullptr);
}

TEST_F(CounterFileTest, empty_labels_stay_labels) {
  ASSERT_TRUE(CounterFile::open(options_, 1).value().add("name", {"", "x", ""}) != nullptr);
  EXPECT_THAT(CounterFile::open(options_, 2).value().recovered().at(0).labels, ElementsAre("", "x", ""));
}

TEST_F(CounterFileTest, a_second_process_of_the_name_is_refused_and_disturbs_nothing) {
  auto first = CounterFile::open(options_, 100);
  std::uint64_t* total = first.value().add("collector_reconnects_total", {"gmo"});
  const auto second = CounterFile::open(options_, 200);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("held by another process"));
  *total += 5;
  first = Error{ErrorKind::Unavailable, ""};
  EXPECT_EQ(*CounterFile::open(options_, 300).value().recovered().at(0).total, 5U);
}

TEST_F(CounterFileTest, a_file_that_is_cut_anywhere_never_stops_the_program) {
  live();
  const std::string whole = bytes();
  for (std::size_t length = 1; length < whole.size(); length += length < 640 ? 16 : 401) {
    write(whole.substr(0, length));
    auto file = CounterFile::open(options_, 200);
    ASSERT_TRUE(file) << length;
    EXPECT_TRUE(was_set_aside()) << length;
    EXPECT_EQ(file.value().origin(), 200U);
    EXPECT_TRUE(file.value().recovered().empty());
    EXPECT_NE(file.value().add("collector_reconnects_total", {"gmo"}), nullptr);
    fs::remove(options_.path + ".unusable");
  }
}

// Goal: whatever the bytes, opening gives a file to count in. Method: seeded random changes.
TEST_F(CounterFileTest, any_bytes_never_stop_the_program) {
  live();
  const std::string whole = bytes();
  std::mt19937_64 random(11);
  for (int round = 0; round < 300; ++round) {
    std::string changed = whole;
    for (int i = 0; i < 4; ++i)
      changed[random() % (random() % 2 == 0 ? 640 : changed.size())] = static_cast<char>(random());
    write(changed);
    auto file = CounterFile::open(options_, 200);
    ASSERT_TRUE(file) << round;
    PendingCounts pending(file.value().pending_region());
    pending.commit();
    for (const auto& one : file.value().recovered()) {
      if (one.total != nullptr) ++*one.total;
      if (one.histogram != nullptr) one.histogram->observe(5);
    }
  }
}

TEST_F(CounterFileTest, another_version_is_set_aside) {
  live();
  std::string changed = bytes();
  changed[16] = 9;
  write(changed);
  EXPECT_EQ(CounterFile::open(options_, 200).value().origin(), 200U);
  EXPECT_TRUE(was_set_aside());
}

TEST_F(CounterFileTest, another_components_file_is_set_aside) {
  live();
  options_.source = "bitflyer";
  EXPECT_TRUE(CounterFile::open(options_, 200).value().recovered().empty());
  EXPECT_TRUE(was_set_aside());
}

TEST_F(CounterFileTest, after_a_reboot_it_begins_anew) {
  live();
  options_.boot_id = "boot-2";
  const auto file = CounterFile::open(options_, 200);
  EXPECT_EQ(file.value().origin(), 200U);
  EXPECT_TRUE(file.value().recovered().empty());
  EXPECT_FALSE(was_set_aside());
}

TEST_F(CounterFileTest, a_full_file_takes_no_more_and_begins_anew_at_the_next_start) {
  {
    auto file = CounterFile::open(options_, 100);
    for (std::size_t i = 0; i < options_.counters_max; ++i)
      ASSERT_NE(file.value().add("collector_reconnects_total", {std::to_string(i)}), nullptr);
    EXPECT_EQ(file.value().add("collector_reconnects_total", {"one more"}), nullptr);
  }
  EXPECT_EQ(CounterFile::open(options_, 200).value().origin(), 200U);
}

TEST_F(CounterFileTest, a_file_whose_maker_was_killed_is_made_again) {
  live();
  std::string changed = bytes();
  std::fill_n(changed.begin(), 16, '\0');
  write(changed);
  EXPECT_EQ(CounterFile::open(options_, 200).value().origin(), 200U);
  EXPECT_FALSE(was_set_aside());
}

TEST_F(CounterFileTest, without_a_folder_there_is_an_error) {
  write("a file where a folder should be");
  options_.path += "/counters";
  const auto file = CounterFile::open(options_, 100);
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, HasSubstr("counters/counters"));
}

TEST_F(CounterFileTest, a_link_is_not_followed) {
  fs::create_symlink(path("elsewhere"), options_.path);
  EXPECT_FALSE(CounterFile::open(options_, 100));
  EXPECT_FALSE(fs::exists(path("elsewhere")));
}

TEST(CounterFilePath, names_cannot_leave_the_folder) {
  EXPECT_EQ(counter_file_path("/run/mdpipe", "ws-reader", "gmo"), "/run/mdpipe/counters-ws-reader-gmo");
  EXPECT_EQ(counter_file_path("/run", "a", "../b"), "/run/counters-a-..%2Fb");
}

}  // namespace
}  // namespace mdpipe::metrics

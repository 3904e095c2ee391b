#include "metrics-agent/window/window_state.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/unit/metrics-agent/fake_component.hpp"
#include "tests/unit/metrics-agent/window/checkpoint_support.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;

WindowCheckpoint sample() {
  FakeComponent reader("ws-reader", "gmo");
  metrics::Delta delta = reader.counter(Metric::MessagesReceived, kTicker, 10)
                             .histogram(Metric::PublishLatency, {"gmo", "md:ticker"}, 3, 1'000'000)
                             .message();
  delta.time_ns = at(0).wall.count;
  return {at(10).steady, {delta}, {}};
}

TEST(WindowState, decode_undoes_encode) {
  const auto decoded = decode_checkpoint(encode_checkpoint(sample(), "boot"), {"boot", at(20).wall});
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded.value().end, at(10).steady);
  ASSERT_EQ(decoded.value().covered.size(), 1U);
  EXPECT_EQ(decoded.value().covered[0].counters, sample().covered[0].counters);
  EXPECT_EQ(decoded.value().covered[0].histograms[0].second.count, 3U);
}

TEST(WindowState, after_a_reboot_the_monotonic_time_means_nothing) {
  const auto decoded = decode_checkpoint(encode_checkpoint(sample(), "boot"), {"another", at(20).wall});
  ASSERT_TRUE(decoded);
  EXPECT_FALSE(decoded.value().end);
  EXPECT_EQ(decoded.value().covered.size(), 1U);
}

TEST(WindowState, sources_not_heard_of_for_a_week_are_forgotten) {
  const auto decoded =
      decode_checkpoint(encode_checkpoint(sample(), "boot"), {"boot", at(8.0 * 24 * 3600).wall});
  ASSERT_TRUE(decoded);
  EXPECT_TRUE(decoded.value().covered.empty());
}

TEST(WindowState, any_damage_is_found) {
  const std::string good = encode_checkpoint(sample(), "boot");
  const BootClock clock{"boot", at(20).wall};
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(decode_checkpoint(good.substr(0, length), clock)) << length;
  }
  const std::size_t body = good.size() - 20;
  for (std::size_t i = body; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_FALSE(decode_checkpoint(bad, clock)) << i;
  }
  EXPECT_FALSE(decode_checkpoint(good + "x", clock));
}

class WindowStateFileTest : public testing::Test {
 protected:
  WindowStateFileTest() {
    char name[] = "/tmp/mdpipe-state-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~WindowStateFileTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
  BootClock clock_{"boot", at(20).wall};
};

TEST_F(WindowStateFileTest, saves_what_the_next_one_loads) {
  WindowStateFile first(folder_);
  EXPECT_TRUE(first.load(clock_).covered.empty());
  first.stage({encode_checkpoint(sample(), "boot")});
  EXPECT_TRUE(WindowStateFile(folder_).load(clock_).covered.empty());  // not committed
  first.stage({encode_checkpoint(sample(), "boot")});
  first.commit();
  EXPECT_EQ(WindowStateFile(folder_).load(clock_).covered.size(), 1U);
}

TEST_F(WindowStateFileTest, a_corrupt_file_is_set_aside_not_deleted) {
  std::ofstream(folder_ + "/metrics-agent.state") << "nonsense";
  WindowStateFile file(folder_);
  EXPECT_TRUE(file.load(clock_).covered.empty());
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/metrics-agent.state"));
  bool found = false;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    found = found || entry.path().string().find(".corrupt-") != std::string::npos;
  }
  EXPECT_TRUE(found);
  EXPECT_TRUE(file.usable());
}

TEST_F(WindowStateFileTest, without_a_folder_there_is_no_state) {
  WindowStateFile file("");
  EXPECT_TRUE(file.load(clock_).covered.empty());
  EXPECT_FALSE(file.usable());
  WindowStateFile unwritable("/proc/nowhere");
  EXPECT_TRUE(unwritable.load(clock_).covered.empty());
  EXPECT_FALSE(unwritable.usable());
  unwritable.stage({"x"});
  unwritable.commit();
}

}  // namespace
}  // namespace mdpipe::agent

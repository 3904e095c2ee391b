#include "tools/exchange-sim/replay.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace mdpipe::sim {
namespace {

struct ReplayFiles : testing::Test {
  std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("exchange-sim-replay-" + std::to_string(getpid()));

  void SetUp() override { std::filesystem::create_directories(folder); }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::string plain(const std::string& name, const std::string& text) const {
    std::ofstream(folder / name) << text;
    return folder / name;
  }
  std::string gzip(const std::string& name, const std::string& text) const {
    std::string path = folder / name;
    gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
    gzclose(file);
    return path;
  }
};

TEST_F(ReplayFiles, reads_plain_lines_verbatim_without_times) {
  auto replay = Replay::open(plain("a.jsonl", "{\"a\":1}\n42[\"x\"]\n{\"last\":true}"));
  ASSERT_TRUE(replay);
  EXPECT_FALSE(replay.value().has_times());
  for (const char* expected : {"{\"a\":1}", "42[\"x\"]", "{\"last\":true}"}) {
    const auto frame = replay.value().next();
    ASSERT_TRUE(frame && frame.value());
    EXPECT_EQ(frame.value()->text, expected);
    EXPECT_FALSE(frame.value()->offset);
  }
  const auto end = replay.value().next();
  ASSERT_TRUE(end);
  EXPECT_FALSE(end.value());
}

TEST_F(ReplayFiles, reads_gzip_with_times_beside_it) {
  const std::string longer(100'000, 'x');
  const std::string path = gzip("b.jsonl.gz", "1\n" + longer + "\n");
  gzip("b.recv.gz", "1723161253.937085\n1723161254.036059001\n");
  auto replay = Replay::open(path);
  ASSERT_TRUE(replay);
  ASSERT_TRUE(replay.value().has_times());
  EXPECT_EQ(replay.value().next().value()->offset, std::chrono::nanoseconds(0));
  const auto second = replay.value().next();
  EXPECT_EQ(second.value()->text, longer);
  EXPECT_EQ(second.value()->offset, std::chrono::nanoseconds(98'974'001));
}

TEST_F(ReplayFiles, a_missing_time_or_file_is_an_error_that_names_it) {
  const std::string path = plain("c.jsonl", "1\n2\n");
  plain("c.recv", "1.5\n");
  auto replay = Replay::open(path);
  ASSERT_TRUE(replay && replay.value().next());
  EXPECT_FALSE(replay.value().next());
  const auto missing = Replay::open(folder / "none.jsonl");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("none.jsonl"), std::string::npos);
}

TEST_F(ReplayFiles, a_cut_gzip_file_is_an_error) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i * 7919) + "\n";
  const std::string path = gzip("d.jsonl.gz", text);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  auto replay = Replay::open(path);
  ASSERT_TRUE(replay);
  for (;;) {
    const auto frame = replay.value().next();
    if (!frame) break;
    ASSERT_TRUE(frame.value()) << "the end of a cut file was taken for the end of the recording";
  }
}

TEST(EpochSeconds, are_exact) {
  EXPECT_EQ(parse_epoch_seconds("1633998512.0633569")->count(), 1'633'998'512'063'356'900);
  EXPECT_EQ(parse_epoch_seconds("1633998512")->count(), 1'633'998'512'000'000'000);
  EXPECT_FALSE(parse_epoch_seconds(""));
  EXPECT_FALSE(parse_epoch_seconds(".5"));
  EXPECT_FALSE(parse_epoch_seconds("12x.5"));
}

}  // namespace
}  // namespace mdpipe::sim

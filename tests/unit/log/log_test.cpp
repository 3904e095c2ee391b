#include "libshared/log/log.hpp"

#include <gtest/gtest.h>
#include <simdjson.h>
#include <unistd.h>

#include <array>
#include <limits>
#include <random>

namespace mdpipe::log {
namespace {

std::string line_of(std::string_view msg, Fields fields = {}, std::string_view name = "test") {
  return format_line(Level::Warn, name, UnixNanos{1'703'689'200'123'456'789}, msg, fields);
}

simdjson::dom::element parse(simdjson::dom::parser& parser, const std::string& line) {
  simdjson::dom::element element;
  const auto error = parser.parse(line).get(element);
  EXPECT_FALSE(error) << simdjson::error_message(error) << ": " << line;
  return element;
}

TEST(LogLine, is_pinos_form) {
  simdjson::dom::parser parser;
  const auto line =
      parse(parser, line_of("it happened", {{"count", 3}, {"ratio", 0.5}, {"on", true}, {"who", "me"}}));
  EXPECT_EQ(std::int64_t(line["level"]), 40);
  EXPECT_EQ(std::int64_t(line["time"]), 1'703'689'200'123);
  EXPECT_EQ(std::int64_t(line["pid"]), getpid());
  EXPECT_FALSE(std::string_view(line["hostname"]).empty());
  EXPECT_EQ(std::string_view(line["name"]), "test");
  EXPECT_EQ(std::string_view(line["msg"]), "it happened");
  EXPECT_EQ(std::int64_t(line["count"]), 3);
  EXPECT_EQ(double(line["ratio"]), 0.5);
  EXPECT_TRUE(bool(line["on"]));
  EXPECT_EQ(std::string_view(line["who"]), "me");
}

TEST(LogLine, numbers_at_their_limits_stay_json) {
  simdjson::dom::parser parser;
  const auto line = parse(parser, line_of("m", {{"u", std::numeric_limits<std::uint64_t>::max()},
                                                {"i", std::numeric_limits<std::int64_t>::min()},
                                                {"nan", std::numeric_limits<double>::quiet_NaN()},
                                                {"inf", std::numeric_limits<double>::infinity()},
                                                {"tiny", std::numeric_limits<double>::denorm_min()}}));
  EXPECT_EQ(std::uint64_t(line["u"]), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(std::int64_t(line["i"]), std::numeric_limits<std::int64_t>::min());
  EXPECT_TRUE(line["nan"].is_null());
  EXPECT_TRUE(line["inf"].is_null());
}

TEST(LogLine, raw_json_passes_as_it_is) {
  simdjson::dom::parser parser;
  const auto line = parse(parser, line_of("m", {{"metrics", Json{R"({"a":[1,2]})"}}}));
  EXPECT_EQ(std::int64_t(line["metrics"]["a"].at(1)), 2);
}

// Names of peers and texts of servers come from outside: none of their bytes may break a line.
TEST(LogLine, is_json_whatever_text_comes_in) {
  constexpr std::uint64_t kSeed = 5;
  std::mt19937_64 random(kSeed);
  simdjson::dom::parser parser;
  for (int run = 0; run < 5000; ++run) {
    std::string text(random() % 40, '\0');
    for (char& c : text) c = static_cast<char>(random());
    const std::string line = line_of(text, {{text, text}}, text);
    ASSERT_EQ(line.find('\n'), std::string::npos);
    simdjson::dom::element element;
    ASSERT_FALSE(parser.parse(line).get(element)) << "seed " << kSeed << " run " << run;
  }
}

TEST(LogLine, keeps_what_is_utf8) {
  simdjson::dom::parser parser;
  EXPECT_EQ(std::string_view(parse(parser, line_of("\u00e9\u3042\U0001F600"))["msg"]),
            "\u00e9\u3042\U0001F600");
}

TEST(LogLine, replaces_what_is_not_utf8) {
  simdjson::dom::parser parser;
  // A stray byte, a cut sequence, an overlong one, a surrogate, one beyond the last code point.
  for (const auto* text : {"a\xff"
                           "b",
                           "a\xe3\x81"
                           "b",
                           "a\xc0\xaf"
                           "b",
                           "a\xed\xa0\x80"
                           "b",
                           "a\xf4\x90\x80\x80"
                           "b"}) {
    const std::string msg(std::string_view(parse(parser, line_of(text))["msg"]));
    EXPECT_EQ(msg.front(), 'a');
    EXPECT_EQ(msg.back(), 'b');
    EXPECT_NE(msg.find("\ufffd"), std::string::npos);
  }
}

class LogWriteTest : public testing::Test {
 protected:
  LogWriteTest() { EXPECT_EQ(pipe(pipe_.data()), 0); }
  ~LogWriteTest() override {
    configure("mdpipe", Level::Info, STDOUT_FILENO);
    for (const int fd : pipe_) close(fd);
  }
  std::string written() {
    close(pipe_[1]);
    pipe_[1] = -1;
    std::string out(10'000, '\0');
    const ssize_t bytes = read(pipe_[0], out.data(), out.size());
    out.resize(bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
    return out;
  }
  std::array<int, 2> pipe_{};
};

TEST_F(LogWriteTest, writes_lines_from_the_configured_level_up) {
  configure("test", Level::Warn, pipe_[1]);
  info("quiet");
  warn("loud");
  set_level(Level::Debug);
  debug("whisper");
  const std::string out = written();
  EXPECT_EQ(out.find("quiet"), std::string::npos);
  EXPECT_NE(out.find("loud"), std::string::npos);
  EXPECT_NE(out.find("whisper"), std::string::npos);
  EXPECT_EQ(out.back(), '\n');
}

TEST(Level, has_pinos_names_and_numbers) {
  EXPECT_EQ(parse_level("trace"), Level::Trace);
  EXPECT_EQ(parse_level("fatal"), Level::Fatal);
  EXPECT_EQ(static_cast<int>(*parse_level("error")), 50);
  EXPECT_EQ(parse_level("loud"), std::nullopt);
}

TEST(RateLimit, lets_one_through_each_interval_and_counts_the_others) {
  RateLimit limit(std::chrono::seconds(1));
  const SteadyTime start{};
  EXPECT_EQ(limit.admit(start), 0U);
  EXPECT_EQ(limit.admit(start), std::nullopt);
  EXPECT_EQ(limit.admit(start + std::chrono::milliseconds(999)), std::nullopt);
  EXPECT_EQ(limit.admit(start + std::chrono::milliseconds(1000)), 2U);
  EXPECT_EQ(limit.admit(start + std::chrono::milliseconds(1001)), std::nullopt);
  EXPECT_EQ(limit.admit(start + std::chrono::seconds(60)), 1U);
}

}  // namespace
}  // namespace mdpipe::log

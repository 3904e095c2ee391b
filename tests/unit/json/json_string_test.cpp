#include "libshared/json/json_string.hpp"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <random>

namespace mdpipe {
namespace {

std::string parsed(const std::string& json) {
  simdjson::dom::parser parser;
  std::string_view text;
  const auto error = parser.parse(json).get(text);
  if (error) return std::string("no JSON: ") + simdjson::error_message(error);
  return std::string(text);
}

TEST(JsonString, reads_back_as_the_same_text) {
  std::string every_ascii;
  for (int byte = 0; byte < 128; ++byte) every_ascii.push_back(static_cast<char>(byte));
  for (const std::string& text : {std::string(), std::string("plain"), std::string("\"\\/\b\f\n\r\t"),
                                  every_ascii, std::string("\u3042\U0001F600"), std::string("a\0b", 3)}) {
    std::string json;
    append_json_string(text, json);
    EXPECT_EQ(parsed(json), text);
  }
}

TEST(JsonString, is_plain_where_nothing_is_to_be_escaped_at_any_place) {
  for (std::size_t size = 0; size <= 20; ++size) {
    EXPECT_TRUE(is_plain_json(std::string(size, '7')));
    for (std::size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string text(size, '7');
        text[at] = static_cast<char>(byte);
        ASSERT_EQ(is_plain_json(text), byte >= 0x20 && byte != '"' && byte != '\\')
            << size << ' ' << at << ' ' << byte;
      }
    }
  }
}

TEST(JsonString, appends) {
  std::string json = "[";
  append_json_string("x", json);
  EXPECT_EQ(json, "[\"x\"");
}

TEST(PrintableSample, is_ascii_whatever_comes_in) {
  std::mt19937_64 random(3);
  for (int run = 0; run < 1000; ++run) {
    std::string input(random() % 300, '\0');
    for (char& c : input) c = static_cast<char>(random());
    const std::string sample = printable_sample(input);
    for (const char c : sample) ASSERT_TRUE(c >= 0x20 && c < 0x7f);
    ASSERT_LE(sample.size(), 4 * 200 + 3U);
  }
}

TEST(PrintableSample, says_where_it_was_cut) {
  EXPECT_EQ(printable_sample("abcdef", 3), "abc...");
  EXPECT_EQ(printable_sample("abc", 3), "abc");
  EXPECT_EQ(printable_sample("a\n\xff"), "a\\x0a\\xff");
}

}  // namespace
}  // namespace mdpipe

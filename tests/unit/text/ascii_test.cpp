#include "libshared/text/ascii.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mdpipe::ascii {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(Ascii, lower_leaves_everything_but_capital_letters) {
  EXPECT_EQ(lower("AZaz09@[\xc3\x84"), "azaz09@[\xc3\x84");
  EXPECT_EQ(to_upper('z'), 'Z');
  EXPECT_EQ(to_upper('{'), '{');
}

TEST(Ascii, starts_and_ends) {
  EXPECT_TRUE(starts_with("redis://x", "redis"));
  EXPECT_FALSE(starts_with("red", "redis"));
  EXPECT_TRUE(ends_with("events_total", "_total"));
  EXPECT_FALSE(ends_with("total", "_total"));
}

TEST(Ascii, take_prefix_changes_nothing_if_there_is_no_such_prefix) {
  std::string_view text = "rediss://";
  EXPECT_FALSE(take_prefix(text, "unix"));
  EXPECT_EQ(text, "rediss://");
  EXPECT_TRUE(take_prefix(text, "rediss"));
  EXPECT_EQ(text, "://");
}

TEST(Ascii, split_keeps_empty_parts) {
  EXPECT_THAT(split("", ','), ElementsAre(""));
  EXPECT_THAT(split("a,,b,", ','), ElementsAre("a", "", "b", ""));
}

TEST(Ascii, split_once_cuts_at_the_first_separator) {
  EXPECT_THAT(split_once("a=b=c", '='), Pair("a", "b=c"));
  EXPECT_THAT(split_once("a", '='), Pair("a", ""));
}

TEST(Ascii, percent_encoding_leaves_letters_digits_and_what_is_named) {
  EXPECT_EQ(percent_encoded("\xe5\xb8\x81USDT-1."), "%E5%B8%81USDT%2D1%2E");
  EXPECT_EQ(percent_encoded("a_b/c", "_"), "a_b%2Fc");
}

TEST(Ascii, percent_decoding_refuses_what_is_no_escape) {
  EXPECT_EQ(percent_decoded("a%2fb%2F"), "a/b/");
  for (const char* bad : {"%", "%2", "%zz", "%2x", "%+1"})
    EXPECT_EQ(percent_decoded(bad), std::nullopt) << bad;
}

TEST(Ascii, what_was_encoded_is_decoded_again) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(percent_decoded(percent_encoded(all)), all);
}

}  // namespace
}  // namespace mdpipe::ascii

#include "libshared/text/format.hpp"

#include <gtest/gtest.h>

namespace mdpipe {
namespace {

TEST(AppendFormat, goes_on_after_what_is_there) {
  std::string text = "a";
  append_format(text, "{}-{:.1f}", "b", 2.26);
  append_format(text, ",{}", 7);
  EXPECT_EQ(text, "ab-2.3,7");
}

TEST(FixedText, holds_what_fits) {
  EXPECT_EQ(FixedText<8>("{} of {}", 1, 2).view(), "1 of 2");
  EXPECT_EQ(FixedText<8>("{} of {}", 1000, 2).view(), "1000 of ");
  EXPECT_EQ(FixedText<8>("").view(), "");
}

}  // namespace
}  // namespace mdpipe

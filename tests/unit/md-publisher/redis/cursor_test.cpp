#include "md-publisher/redis/cursor.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "tests/unit/md-publisher/redis/resp_support.hpp"

namespace mdpipe::publisher {
namespace {

TEST(Cursor, is_epoch_and_seq) {
  constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(format_cursor({1'795'383'946'620'062'384, 4711}), "1795383946620062384:4711");
  const auto parsed = parse_cursor(format_cursor({kMax, kMax - 1}));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->epoch, kMax);
  EXPECT_EQ(parsed->seq, kMax - 1);
}

TEST(Cursor, refuses_anything_else) {
  for (const auto* text : {"", ":", "1", "1:", ":1", "1:2:3", "1:2 ", " 1:2", "a:1", "1:a", "-1:2", "1;2",
                           "18446744073709551616:1", "100", "x:y", "no cursor", "nonsense"}) {
    EXPECT_FALSE(parse_cursor(text)) << text;
  }
}

TEST(Cursor, of_a_later_epoch_or_a_later_event_is_later) {
  EXPECT_LT((Cursor{7, 9}), (Cursor{8, 1}));
  EXPECT_LT((Cursor{7, 8}), (Cursor{7, 9}));
  EXPECT_FALSE((Cursor{7, 9} < Cursor{7, 9}));
}

TEST(Cursors, are_the_fields_of_a_hash_that_hold_one) {
  EXPECT_EQ(read_cursors(reply_of("*6\r\n$3\r\ngmo\r\n$3\r\n7:9\r\n$1\r\nb\r\n$0\r\n\r\n"
                                  "$1\r\nc\r\n$3\r\n100\r\n")),
            (Cursors{{"gmo", {7, 9}}}));
  EXPECT_TRUE(read_cursors(reply_of("*0\r\n")).empty());
}

}  // namespace
}  // namespace mdpipe::publisher

#include "md-publisher/redis/reply_reader.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mdpipe::publisher {
namespace {

std::string describe(const Reply& reply) {
  switch (reply.type) {
    case Reply::Type::Status:
      return "+" + reply.text;
    case Reply::Type::Error:
      return "-" + reply.text;
    case Reply::Type::Integer:
      return ":" + std::to_string(reply.integer);
    case Reply::Type::Nil:
      return "nil";
    case Reply::Type::String:
      return "$" + reply.text;
    case Reply::Type::Array:
      break;
  }
  std::string out = "[";
  for (std::size_t i = 0; i < reply.element_count; ++i) {
    const auto& element = reply.elements[i];
    if (element.type == Reply::Type::Error) out += "-";
    if (element.type == Reply::Type::Array) out += "array";
    if (element.type == Reply::Type::Nil) out += "nil";
    out += element.text + ",";
  }
  return out + "]";
}

std::vector<std::string> read(ReplyReader& reader) {
  std::vector<std::string> out;
  while (reader.next() == ReplyReader::Next::Reply) out.push_back(describe(reader.reply()));
  return out;
}

const std::string kStream =
    "+OK\r\n-ERR wrong\r\n:42\r\n$-1\r\n$5\r\nab\r\nc\r\n$0\r\n\r\n*0\r\n*-1\r\n"
    "*4\r\n$3\r\n1-0\r\n-WRONGTYPE no\r\n:7\r\n$-1\r\n"
    "*2\r\n*2\r\n$1\r\na\r\n*1\r\n:1\r\n$4\r\nlast\r\n+QUEUED\r\n";
const std::vector<std::string> kExpected = {
    "+OK",           "-ERR wrong", ":42", "nil", "$ab\r\nc", "$", "[]", "nil", "[1-0,-WRONGTYPE no,,nil,]",
    "[array,last,]", "+QUEUED"};

TEST(ReplyReader, reads_every_kind_of_reply) {
  ReplyReader reader;
  reader.feed(kStream);
  EXPECT_EQ(read(reader), kExpected);
}

TEST(ReplyReader, cutting_the_bytes_anywhere_changes_nothing) {
  for (std::size_t cut = 0; cut <= kStream.size(); ++cut) {
    ReplyReader reader;
    reader.feed(kStream.substr(0, cut));
    auto replies = read(reader);
    reader.feed(kStream.substr(cut));
    for (auto& reply : read(reader)) replies.push_back(reply);
    ASSERT_EQ(replies, kExpected) << "cut at " << cut;
  }
}

TEST(ReplyReader, reads_bytes_that_come_one_by_one) {
  ReplyReader reader;
  std::vector<std::string> replies;
  for (const char byte : kStream) {
    reader.feed({&byte, 1});
    for (auto& reply : read(reader)) replies.push_back(reply);
  }
  EXPECT_EQ(replies, kExpected);
}

TEST(ReplyReader, nothing_of_a_longer_array_shows_in_a_shorter_one) {
  ReplyReader reader;
  reader.feed("*2\r\n-ERR a\r\n-ERR b\r\n*1\r\n:1\r\n");
  EXPECT_EQ(read(reader), (std::vector<std::string>{"[-ERR a,-ERR b,]", "[,]"}));
}

TEST(ReplyReader, says_what_is_no_redis_protocol) {
  for (const auto* bytes : {"HTTP/1.1 400 Bad Request\r\n", "hello\r\n", "$x\r\n"}) {
    ReplyReader reader;
    reader.feed(bytes);
    EXPECT_EQ(reader.next(), ReplyReader::Next::Broken) << bytes;
    EXPECT_FALSE(reader.error().empty());
  }
}

TEST(ReplyReader, starts_anew_after_a_reset) {
  ReplyReader reader;
  reader.feed("$100\r\nhalf");
  EXPECT_EQ(reader.next(), ReplyReader::Next::NeedMore);
  reader.reset();
  reader.feed("+OK\r\n");
  EXPECT_EQ(read(reader), std::vector<std::string>{"+OK"});
}

TEST(ReplyReader, the_memory_of_a_long_array_is_given_back_after_many_short_ones) {
  ReplyReader reader;
  const auto read_array = [&reader](std::size_t count) {
    std::string bytes = "*" + std::to_string(count) + "\r\n";
    for (std::size_t i = 0; i < count; ++i) bytes += ":1\r\n";
    reader.feed(bytes);
    EXPECT_EQ(reader.next(), ReplyReader::Next::Reply);
    EXPECT_EQ(reader.reply().element_count, count);
    EXPECT_EQ(reader.reply().elements[count - 1].integer, 1);
  };
  const std::size_t kLong = 2 * process::BurstMemory::kKeptBytes / sizeof(Reply::Element);
  read_array(kLong);
  for (unsigned i = 0; i < process::BurstMemory::kUses; ++i) read_array(2);
  EXPECT_EQ(reader.reply().elements.size(), kLong);
  read_array(2);
  EXPECT_EQ(reader.reply().elements.size(), 2U);
}

TEST(ReplyReader, an_array_that_only_claims_to_be_large_takes_no_memory) {
  ReplyReader reader;
  reader.feed("*2000000000\r\n:1\r\n");
  EXPECT_NE(reader.next(), ReplyReader::Next::Reply);
  EXPECT_LT(reader.reply().elements.size(), 1000U);
}

}  // namespace
}  // namespace mdpipe::publisher

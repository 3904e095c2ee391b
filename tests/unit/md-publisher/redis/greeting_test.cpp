#include "md-publisher/redis/greeting.hpp"

#include <gtest/gtest.h>

#include "tests/unit/md-publisher/redis/resp_support.hpp"

namespace mdpipe::publisher {
namespace {

constexpr const char* kCursors = "*2\r\n$3\r\ngmo\r\n$3\r\n7:9\r\n";

RedisAddress named_by_sentinels() {
  RedisAddress address;
  address.host = "h";
  address.sentinel.hosts = {{"s", "26379"}};
  return address;
}

// What comes of these answers, of which the last one decides.
Greeting::Next answer(Greeting& greeting, std::initializer_list<const char*> answers) {
  Greeting::Next next = Greeting::Next::More;
  for (const char* text : answers) {
    EXPECT_EQ(next, Greeting::Next::More);
    next = greeting.on_reply(reply_of(text));
  }
  return next;
}

TEST(Greeting, says_no_more_than_a_plain_redis_needs) {
  Greeting greeting;
  greeting.prepare(parse_redis_url("redis://md:pw@h/3").value(), "md:cursor", 0);
  EXPECT_EQ(read_commands(greeting.commands()), (std::vector<Words>{{"AUTH", "md", "pw"},
                                                                    {"SELECT", "3"},
                                                                    {"CLIENT", "SETNAME", "md-publisher"},
                                                                    {"MULTI"},
                                                                    {"EXEC"},
                                                                    {"HGETALL", "md:cursor"}}));
  EXPECT_EQ(answer(greeting, {"+OK\r\n", "+OK\r\n", "+OK\r\n", "+OK\r\n", "*0\r\n", kCursors}),
            Greeting::Next::Done);
  EXPECT_EQ(greeting.cursors(), (Cursors{{"gmo", "7:9"}}));
}

TEST(Greeting, refuses_what_sentinels_call_the_master_and_is_none) {
  Greeting greeting;
  greeting.prepare(named_by_sentinels(), "md:cursor", 0);
  EXPECT_EQ(answer(greeting, {"+OK\r\n", "*2\r\n$5\r\nslave\r\n$1\r\nh\r\n"}), Greeting::Next::Refused);
  EXPECT_EQ(greeting.refused().kind, Refusal::ReadOnly);
  greeting.prepare(named_by_sentinels(), "md:cursor", 0);
  EXPECT_EQ(
      answer(greeting, {"+OK\r\n", "*3\r\n$6\r\nmaster\r\n:7\r\n*0\r\n", "+OK\r\n", "*0\r\n", kCursors}),
      Greeting::Next::Done);
}

TEST(Greeting, believes_the_cursors_once_enough_replicas_hold_them) {
  Greeting greeting;
  greeting.prepare(parse_redis_url("redis://h").value(), "md:cursor", 2);
  EXPECT_EQ(answer(greeting, {"+OK\r\n", "+OK\r\n", "*0\r\n", kCursors, ":1\r\n"}), Greeting::Next::Refused);
  EXPECT_EQ(greeting.refused().kind, Refusal::NoReplicas);
  greeting.prepare(parse_redis_url("redis://h").value(), "md:cursor", 2);
  EXPECT_EQ(answer(greeting, {"+OK\r\n", "+OK\r\n", "*0\r\n", kCursors, ":2\r\n"}), Greeting::Next::Done);
  EXPECT_EQ(greeting.cursors(), (Cursors{{"gmo", "7:9"}}));
}

}  // namespace
}  // namespace mdpipe::publisher

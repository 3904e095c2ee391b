#include "md-publisher/redis/handshake.hpp"

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
Handshake::Next answer(Handshake& handshake, std::initializer_list<const char*> answers) {
  Handshake::Next next = Handshake::Next::More;
  for (const char* text : answers) {
    EXPECT_EQ(next, Handshake::Next::More);
    next = handshake.on_reply(reply_of(text));
  }
  return next;
}

TEST(Handshake, says_no_more_than_a_plain_redis_needs) {
  Handshake handshake;
  handshake.prepare(parse_redis_url("redis://md:pw@h/3").value(), "md:cursor", 0);
  EXPECT_EQ(read_commands(handshake.commands()), (std::vector<Words>{{"AUTH", "md", "pw"},
                                                                     {"SELECT", "3"},
                                                                     {"CLIENT", "SETNAME", "md-publisher"},
                                                                     {"MULTI"},
                                                                     {"EXEC"},
                                                                     {"HGETALL", "md:cursor"}}));
  EXPECT_EQ(answer(handshake, {"+OK\r\n", "+OK\r\n", "+OK\r\n", "+OK\r\n", "*0\r\n", kCursors}),
            Handshake::Next::Done);
  EXPECT_EQ(handshake.cursors(), (Cursors{{"gmo", {7, 9}}}));
}

TEST(Handshake, refuses_what_sentinels_call_the_master_and_is_none) {
  Handshake handshake;
  handshake.prepare(named_by_sentinels(), "md:cursor", 0);
  EXPECT_EQ(answer(handshake, {"+OK\r\n", "*2\r\n$5\r\nslave\r\n$1\r\nh\r\n"}), Handshake::Next::Failed);
  EXPECT_EQ(handshake.error().kind, RedisErrorKind::ReadOnly);
  handshake.prepare(named_by_sentinels(), "md:cursor", 0);
  EXPECT_EQ(
      answer(handshake, {"+OK\r\n", "*3\r\n$6\r\nmaster\r\n:7\r\n*0\r\n", "+OK\r\n", "*0\r\n", kCursors}),
      Handshake::Next::Done);
}

TEST(Handshake, believes_the_cursors_once_enough_replicas_hold_them) {
  Handshake handshake;
  handshake.prepare(parse_redis_url("redis://h").value(), "md:cursor", 2);
  EXPECT_EQ(answer(handshake, {"+OK\r\n", "+OK\r\n", "*0\r\n", kCursors, ":1\r\n"}), Handshake::Next::Failed);
  EXPECT_EQ(handshake.error().kind, RedisErrorKind::NoReplicas);
  handshake.prepare(parse_redis_url("redis://h").value(), "md:cursor", 2);
  EXPECT_EQ(answer(handshake, {"+OK\r\n", "+OK\r\n", "*0\r\n", kCursors, ":2\r\n"}), Handshake::Next::Done);
  EXPECT_EQ(handshake.cursors(), (Cursors{{"gmo", {7, 9}}}));
}

}  // namespace
}  // namespace mdpipe::publisher

#include "md-publisher/redis/handshake.hpp"

#include <gtest/gtest.h>

#include "tests/unit/md-publisher/redis/resp_support.hpp"

namespace mdpipe::publisher {
namespace {

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
  handshake.prepare(parse_redis_url("redis://md:pw@h/3").value(), Handshake::Scope::Redis);
  EXPECT_EQ(read_commands(handshake.commands()), (std::vector<Words>{{"AUTH", "md", "pw"},
                                                                     {"SELECT", "3"},
                                                                     {"CLIENT", "SETNAME", "md-publisher"},
                                                                     {"MULTI"},
                                                                     {"EXEC"}}));
  EXPECT_EQ(answer(handshake, {"+OK\r\n", "+OK\r\n", "+OK\r\n", "+OK\r\n", "*0\r\n"}), Handshake::Next::Done);
}

TEST(Handshake, says_no_more_to_a_sentinel_than_who_we_are) {
  Handshake handshake;
  handshake.prepare(parse_redis_url("redis://md:pw@h/3").value(), Handshake::Scope::Sentinel);
  EXPECT_EQ(read_commands(handshake.commands()), (std::vector<Words>{{"AUTH", "md", "pw"}}));
  EXPECT_EQ(answer(handshake, {"-WRONGPASS invalid\r\n"}), Handshake::Next::Failed);
  EXPECT_NE(handshake.error().advice.find("--redis-sentinel-password-file"), std::string::npos);
  handshake.prepare(parse_redis_url("redis://h").value(), Handshake::Scope::Sentinel);
  EXPECT_TRUE(handshake.commands().empty());
}

TEST(Handshake, refuses_what_sentinels_call_the_master_and_is_none) {
  Handshake handshake;
  handshake.prepare(named_by_sentinels(), Handshake::Scope::Redis);
  EXPECT_EQ(answer(handshake, {"+OK\r\n", "*2\r\n$5\r\nslave\r\n$1\r\nh\r\n"}), Handshake::Next::Failed);
  EXPECT_EQ(handshake.error().kind, RedisErrorKind::ReadOnly);
  handshake.prepare(named_by_sentinels(), Handshake::Scope::Redis);
  EXPECT_EQ(answer(handshake, {"+OK\r\n", "*3\r\n$6\r\nmaster\r\n:7\r\n*0\r\n", "+OK\r\n", "*0\r\n"}),
            Handshake::Next::Done);
}

// The kind of error that the first answer of a Redis comes to.
RedisErrorKind kind_of_first_answer(const char* url, const char* text) {
  Handshake handshake;
  handshake.prepare(parse_redis_url(url).value(), Handshake::Scope::Redis);
  EXPECT_EQ(answer(handshake, {text}), Handshake::Next::Failed);
  return handshake.error().kind;
}

TEST(Handshake, tells_a_wrong_password_from_a_redis_that_accepts_nobody) {
  constexpr const char* kWithPassword = "redis://:pw@h";
  EXPECT_EQ(kind_of_first_answer(kWithPassword, "-WRONGPASS invalid\r\n"), RedisErrorKind::Auth);
  EXPECT_EQ(kind_of_first_answer(kWithPassword, "-ERR AUTH called without any password configured\r\n"),
            RedisErrorKind::Auth);
  for (const char* url : {kWithPassword, "redis://h"}) {
    EXPECT_EQ(kind_of_first_answer(url, "-ERR max number of clients reached\r\n"),
              RedisErrorKind::MaxClients);
    EXPECT_EQ(kind_of_first_answer(url, "-LOADING Redis is loading the dataset in memory\r\n"),
              RedisErrorKind::Loading);
  }
}

TEST(Handshake, works_without_the_right_to_set_a_name) {
  Handshake handshake;
  handshake.prepare(parse_redis_url("redis://h").value(), Handshake::Scope::Redis);
  EXPECT_EQ(answer(handshake, {"-NOPERM client\r\n", "+OK\r\n", "*0\r\n"}), Handshake::Next::Done);
}

}  // namespace
}  // namespace mdpipe::publisher

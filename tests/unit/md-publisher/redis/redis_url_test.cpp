#include "md-publisher/redis/redis_url.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace mdpipe::publisher {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

RedisAddress parse(std::string_view url) {
  auto address = parse_redis_url(url);
  if (!address) {
    ADD_FAILURE() << address.error().message;
    return {};
  }
  return address.value();
}

std::string error(std::string_view url) {
  const auto address = parse_redis_url(url);
  return address ? "accepted" : address.error().message;
}

TEST(RedisUrl, host_port_and_database_have_defaults) {
  const RedisAddress address = parse("redis://cache");
  EXPECT_EQ(address.host, "cache");
  EXPECT_EQ(address.port, "6379");
  EXPECT_EQ(address.database, 0);
  EXPECT_EQ(address.user, "");
  EXPECT_EQ(address.password, "");
  EXPECT_EQ(parse("redis://cache/").database, 0);
}

TEST(RedisUrl, reads_every_part) {
  const RedisAddress address = parse("redis://md:secret@10.0.0.1:6380/15");
  EXPECT_EQ(address.user, "md");
  EXPECT_EQ(address.password, "secret");
  EXPECT_EQ(address.host, "10.0.0.1");
  EXPECT_EQ(address.port, "6380");
  EXPECT_EQ(address.database, 15);
  EXPECT_EQ(address.display(), "10.0.0.1:6380/15");
}

TEST(RedisUrl, a_password_needs_no_user) {
  const RedisAddress address = parse("redis://:secret@h");
  EXPECT_EQ(address.user, "");
  EXPECT_EQ(address.password, "secret");
  EXPECT_EQ(parse("redis://md@h").user, "md");
}

TEST(RedisUrl, reads_ipv6_in_brackets) {
  EXPECT_EQ(parse("redis://[::1]:7000/2").host, "::1");
  EXPECT_EQ(parse("redis://[::1]:7000/2").port, "7000");
  EXPECT_EQ(parse("redis://u:p@[fe80::1]").host, "fe80::1");
}

TEST(RedisUrl, decodes_percent_signs_in_user_and_password) {
  const RedisAddress address = parse("redis://m%40d:p%3a%2F%25%e3%81%82@h");
  EXPECT_EQ(address.user, "m@d");
  EXPECT_EQ(address.password, "p:/%\u3042");
}

TEST(RedisUrl, the_last_at_sign_ends_the_password) { EXPECT_EQ(parse("redis://:p@ss@h").password, "p@ss"); }

TEST(RedisUrl, reads_unix_sockets) {
  const RedisAddress address = parse("unix:///run/redis/redis.sock?db=3");
  EXPECT_EQ(address.unix_path, "/run/redis/redis.sock");
  EXPECT_EQ(address.database, 3);
  EXPECT_EQ(address.display(), "/run/redis/redis.sock database 3");
  EXPECT_EQ(parse("unix:///s").database, 0);
}

TEST(RedisUrl, refuses_the_rest_with_what_it_expects) {
  for (const auto* url : {"",
                          "redis",
                          "http://h",
                          "redis://",
                          "redis://:6379",
                          "redis://h:",
                          "redis://h:0",
                          "redis://h:65536",
                          "redis://h:x",
                          "redis://h/x",
                          "redis://h/-1",
                          "redis://h/0/1",
                          "redis://::1",
                          "redis://[::1",
                          "redis://[]",
                          "redis://[::1]x",
                          "unix://s",
                          "unix://",
                          "unix:///s?db=x",
                          "unix:///s?timeout=1",
                          "redis://u:%zz@h",
                          "redis://u:%4@h"}) {
    EXPECT_THAT(error(url), AllOf(HasSubstr("--redis-url"), HasSubstr("expected redis://"))) << url;
  }
}

TEST(RedisUrl, has_tls_with_an_s) {
  EXPECT_FALSE(parse("redis://h").is_tls);
  const RedisAddress address = parse("rediss://md:secret@h:6380/2");
  EXPECT_TRUE(address.is_tls);
  EXPECT_EQ(address.display(), "h:6380/2");
}

TEST(RedisUrl, a_unix_socket_may_have_a_user) {
  const RedisAddress address = parse("unix://md:se%40cret@/run/redis.sock?db=2");
  EXPECT_EQ(address.user, "md");
  EXPECT_EQ(address.password, "se@cret");
  EXPECT_EQ(address.unix_path, "/run/redis.sock");
  EXPECT_EQ(address.database, 2);
}

TEST(RedisUrl, names_sentinels_and_their_service) {
  const RedisAddress address = parse("rediss+sentinel://md:secret@a:1,[::1]:2,c/mymaster/3");
  EXPECT_EQ(address.sentinel.hosts, (std::vector<HostPort>{{"a", "1"}, {"::1", "2"}, {"c", "26379"}}));
  EXPECT_EQ(address.sentinel.service, "mymaster");
  EXPECT_EQ(address.user, "md");
  EXPECT_EQ(address.database, 3);
  EXPECT_TRUE(address.is_tls);
  EXPECT_EQ(address.display(), "the master 'mymaster' of 3 Sentinels");
  EXPECT_EQ(parse("redis+sentinel://a/s").database, 0);
}

TEST(RedisUrl, refuses_sentinels_without_a_host_or_a_service) {
  for (const auto* url : {"redis+sentinel://a", "redis+sentinel://a/", "redis+sentinel:///s",
                          "redis+sentinel://a,/s", "redis+sentinel://a,b:x/s", "redis+sentinel://a/s/x"}) {
    EXPECT_THAT(error(url), AllOf(HasSubstr("--redis-url"), HasSubstr("/service[/database]"))) << url;
  }
}

TEST(RedisUrl, names_nodes_of_a_cluster) {
  const RedisAddress address = parse("rediss+cluster://md:secret@a,b:7001");
  EXPECT_EQ(address.cluster, (std::vector<HostPort>{{"a", "6379"}, {"b", "7001"}}));
  EXPECT_TRUE(address.is_tls);
  EXPECT_EQ(address.display(), "the Cluster of a:6379");
  for (const auto* url :
       {"redis+cluster://a/1", "redis+cluster://a?db=1", "redis+cluster://", "redis+cluster://a,"})
    EXPECT_THAT(error(url), AllOf(HasSubstr("--redis-url"), HasSubstr("redis+cluster://"))) << url;
}

TEST(RedisUrl, a_database_may_be_a_parameter) { EXPECT_EQ(parse("redis://h:1?db=7").database, 7); }

TEST(RedisUrl, errors_hide_the_password) {
  for (const auto* url : {"redis://u:hunter2@h:x", "rediss://:hunter2@h:x", "http://u:hunter2@h",
                          "redis://u:hunter2%z@h", "unix://u:hunter2@s", "unix:///s?password=hunter2"}) {
    EXPECT_THAT(error(url), AllOf(Not(HasSubstr("hunter2")), HasSubstr("***"))) << url;
  }
}

class PasswordTest : public testing::Test {
 protected:
  PasswordTest() {
    char name[] = "/tmp/mdpipe-password-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~PasswordTest() override {
    unsetenv("CREDENTIALS_DIRECTORY");
    std::filesystem::remove_all(folder_);
  }
  std::string file(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ + "/" + name) << content;
    return folder_ + "/" + name;
  }
  std::string folder_;
};

TEST_F(PasswordTest, is_the_file_without_its_line_end) {
  EXPECT_EQ(read_password(file("p", "se cret\r\n")).value(), "se cret");
}

TEST_F(PasswordTest, comes_from_systemds_credential_where_no_file_is_named) {
  EXPECT_EQ(read_password("").value(), std::nullopt);
  setenv("CREDENTIALS_DIRECTORY", folder_.c_str(), 1);
  EXPECT_EQ(read_password("").value(), std::nullopt);
  file("redis_password", "from systemd\n");
  EXPECT_EQ(read_password("").value(), "from systemd");
}

TEST_F(PasswordTest, a_file_that_is_missing_empty_or_a_folder_is_named) {
  for (const std::string& path : {folder_ + "/missing", file("empty", "\n"), folder_}) {
    const auto password = read_password(path);
    ASSERT_FALSE(password) << path;
    EXPECT_EQ(password.error().kind, ErrorKind::BadConfig);
    EXPECT_THAT(password.error().message, AllOf(HasSubstr("--redis-password-file"), HasSubstr(path)));
  }
}

}  // namespace
}  // namespace mdpipe::publisher

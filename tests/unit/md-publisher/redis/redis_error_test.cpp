#include "md-publisher/redis/redis_error.hpp"

#include <gtest/gtest.h>

#include <set>

namespace mdpipe::publisher {
namespace {

using std::chrono::milliseconds;

// Error lines of Redis 7.0.15.
TEST(RedisError, is_named_by_the_first_word) {
  const std::pair<const char*, RedisErrorKind> lines[] = {
      {"OOM command not allowed when used memory > 'maxmemory'.", RedisErrorKind::Oom},
      {"READONLY You can't write against a read only replica.", RedisErrorKind::ReadOnly},
      {"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
       RedisErrorKind::ReadOnly},
      {"NOPERM this user has no permissions to run the 'xadd' command", RedisErrorKind::NoPerm},
      {"WRONGTYPE Operation against a key holding the wrong kind of value", RedisErrorKind::WrongType},
      {"NOAUTH Authentication required.", RedisErrorKind::Auth},
      {"WRONGPASS invalid username-password pair or user is disabled.", RedisErrorKind::Auth},
      {"DENIED Redis is running in protected mode", RedisErrorKind::Auth},
      {"LOADING Redis is loading the dataset in memory", RedisErrorKind::Loading},
      {"BUSY Redis is busy running a script.", RedisErrorKind::Busy},
      {"NOREPLICAS Not enough good replicas to write.", RedisErrorKind::NoReplicas},
      {"MISCONF Redis is configured to save RDB snapshots", RedisErrorKind::Misconf},
      {"MOVED 3999 127.0.0.1:6381", RedisErrorKind::Cluster},
      {"ASK 3999 127.0.0.1:6381", RedisErrorKind::Cluster},
      {"CLUSTERDOWN Hash slot not served", RedisErrorKind::Cluster},
      {"CROSSSLOT Keys in request don't hash to the same slot", RedisErrorKind::Cluster},
      {"ERR max number of clients reached", RedisErrorKind::MaxClients},
      {"ERR max number of clients + cluster connections reached", RedisErrorKind::MaxClients},
      {"ERR unknown command", RedisErrorKind::Other},
      {"BUSYGROUP Consumer Group name already exists", RedisErrorKind::Other},
      {"OOMPH", RedisErrorKind::Other},
      {"", RedisErrorKind::Other},
  };
  for (const auto& [line, kind] : lines) EXPECT_EQ(classify(line), kind) << line;
}

TEST(RedisError, of_a_discarded_transaction_is_what_it_was_discarded_for) {
  EXPECT_EQ(classify("EXECABORT Transaction discarded because of: MISCONF Errors writing"),
            RedisErrorKind::Misconf);
  EXPECT_EQ(classify("EXECABORT Transaction discarded because of previous errors."), RedisErrorKind::Other);
}

TEST(RedisError, only_execabort_says_that_nothing_was_written) {
  EXPECT_TRUE(says_nothing_was_written("EXECABORT Transaction discarded because of previous errors."));
  EXPECT_FALSE(says_nothing_was_written("ERR EXEC without MULTI"));
  EXPECT_FALSE(says_nothing_was_written("OOM command not allowed"));
}

TEST(RedisError, table_is_in_the_order_of_the_kinds_with_labels_of_their_own) {
  std::set<std::string_view> labels;
  for (std::size_t i = 0; i < kRedisErrorKinds; ++i) {
    EXPECT_EQ(static_cast<std::size_t>(redis_error_infos().at(i).kind), i);
    EXPECT_FALSE(redis_error_infos().at(i).remedy.empty());
    labels.insert(redis_error_infos().at(i).label);
  }
  EXPECT_EQ(labels.size(), kRedisErrorKinds);
}

TEST(RedisError, pauses_grow_to_their_limit) {
  const milliseconds limit(60'000);
  EXPECT_EQ(retry_delay(RetryPolicy::SameConnection, 0, limit), milliseconds(100));
  EXPECT_EQ(retry_delay(RetryPolicy::SameConnection, 3, limit), milliseconds(800));
  EXPECT_EQ(retry_delay(RetryPolicy::SameConnection, 1'000'000, limit), milliseconds(5'000));
  EXPECT_EQ(retry_delay(RetryPolicy::Slow, 0, limit), milliseconds(1'000));
  EXPECT_EQ(retry_delay(RetryPolicy::Slow, 9, limit), milliseconds(5'000));
  EXPECT_EQ(retry_delay(RetryPolicy::Reconnect, 0, limit), milliseconds(50));
  EXPECT_EQ(retry_delay(RetryPolicy::Reconnect, 1'000'000, limit), limit);
  EXPECT_EQ(retry_delay(RetryPolicy::Slow, 5, milliseconds(200)), milliseconds(200));
}

TEST(RedisError, remedy_names_the_rule_that_is_missing) {
  const RedisError xadd{RedisErrorKind::NoPerm, "NOPERM ...", "XADD", "md:trade"};
  EXPECT_EQ(remedy(xadd, "md"), "The ACL of Redis forbids it. Allow it: ACL SETUSER md +xadd ~md:trade");
  const RedisError multi{RedisErrorKind::NoPerm, "NOPERM ...", "MULTI", ""};
  EXPECT_EQ(remedy(multi, ""), "The ACL of Redis forbids it. Allow it: ACL SETUSER default +multi");
  const RedisError oom{RedisErrorKind::Oom, "OOM ...", "XADD", "md:trade"};
  EXPECT_EQ(remedy(oom, "md"), info(RedisErrorKind::Oom).remedy);
}

}  // namespace
}  // namespace mdpipe::publisher

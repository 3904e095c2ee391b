#include "md-publisher/redis/refusal.hpp"

#include <gtest/gtest.h>

#include <set>

namespace mdpipe::publisher {
namespace {

using std::chrono::milliseconds;

// Error lines of Redis 7.0.15.
TEST(Refusal, is_told_by_the_first_word) {
  const std::pair<const char*, Refusal> lines[] = {
      {"OOM command not allowed when used memory > 'maxmemory'.", Refusal::Oom},
      {"READONLY You can't write against a read only replica.", Refusal::ReadOnly},
      {"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", Refusal::ReadOnly},
      {"NOPERM this user has no permissions to run the 'xadd' command", Refusal::NoPerm},
      {"WRONGTYPE Operation against a key holding the wrong kind of value", Refusal::WrongType},
      {"NOAUTH Authentication required.", Refusal::Auth},
      {"WRONGPASS invalid username-password pair or user is disabled.", Refusal::Auth},
      {"DENIED Redis is running in protected mode", Refusal::Auth},
      {"LOADING Redis is loading the dataset in memory", Refusal::Loading},
      {"BUSY Redis is busy running a script.", Refusal::Busy},
      {"NOREPLICAS Not enough good replicas to write.", Refusal::NoReplicas},
      {"MISCONF Redis is configured to save RDB snapshots", Refusal::Misconf},
      {"MOVED 3999 127.0.0.1:6381", Refusal::Cluster},
      {"ASK 3999 127.0.0.1:6381", Refusal::Cluster},
      {"CLUSTERDOWN Hash slot not served", Refusal::Cluster},
      {"CROSSSLOT Keys in request don't hash to the same slot", Refusal::Cluster},
      {"ERR unknown command", Refusal::Other},
      {"BUSYGROUP Consumer Group name already exists", Refusal::Other},
      {"OOMPH", Refusal::Other},
      {"", Refusal::Other},
  };
  for (const auto& [line, kind] : lines) EXPECT_EQ(classify(line), kind) << line;
}

TEST(Refusal, of_a_discarded_transaction_is_what_it_was_discarded_for) {
  EXPECT_EQ(classify("EXECABORT Transaction discarded because of: MISCONF Errors writing"), Refusal::Misconf);
  EXPECT_EQ(classify("EXECABORT Transaction discarded because of previous errors."), Refusal::Other);
}

TEST(Refusal, only_execabort_says_that_nothing_was_written) {
  EXPECT_TRUE(says_nothing_was_written("EXECABORT Transaction discarded because of previous errors."));
  EXPECT_FALSE(says_nothing_was_written("ERR EXEC without MULTI"));
  EXPECT_FALSE(says_nothing_was_written("OOM command not allowed"));
}

TEST(Refusal, table_is_in_the_order_of_the_kinds_with_labels_of_their_own) {
  std::set<std::string_view> labels;
  for (std::size_t i = 0; i < kRefusals; ++i) {
    EXPECT_EQ(static_cast<std::size_t>(all_refusals().at(i).kind), i);
    EXPECT_FALSE(all_refusals().at(i).remedy.empty());
    labels.insert(all_refusals().at(i).label);
  }
  EXPECT_EQ(labels.size(), kRefusals);
}

TEST(Refusal, pauses_grow_to_their_limit) {
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

TEST(Refusal, remedy_names_the_rule_that_is_missing) {
  const RefusedCommand xadd{Refusal::NoPerm, "NOPERM ...", "XADD", "md:trade"};
  EXPECT_EQ(remedy(xadd, "md"), "The ACL of Redis forbids it. Allow it: ACL SETUSER md +xadd ~md:trade");
  const RefusedCommand multi{Refusal::NoPerm, "NOPERM ...", "MULTI", ""};
  EXPECT_EQ(remedy(multi, ""), "The ACL of Redis forbids it. Allow it: ACL SETUSER default +multi");
  const RefusedCommand oom{Refusal::Oom, "OOM ...", "XADD", "md:trade"};
  EXPECT_EQ(remedy(oom, "md"), info(Refusal::Oom).remedy);
}

}  // namespace
}  // namespace mdpipe::publisher

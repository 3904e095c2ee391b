// A shard from its entries to each possible answer of Redis.
#include "md-publisher/writer/cluster/shard.hpp"

#include <gtest/gtest.h>

#include "tests/unit/md-publisher/redis/resp_support.hpp"

namespace mdpipe::publisher {
namespace {

using Next = Shard::Next;
constexpr const char* kNothing = "*0\r\n";
constexpr const char* kQueued = "+QUEUED\r\n";
const Words kQuestion{"HGETALL", "md:cursor:{md:trade}"};
const std::vector<Words> kLook{{"MULTI"}, {"XLEN", "md:trade"}, {"EXEC"}};
const Words kEntry{"XADD", "md:trade", "*", "k", "v"};

struct ShardTest : testing::Test {
  metrics::MetricsCollector collector{{"md-publisher", "p", "", true, 1000}};
  StreamTable streams{StreamNaming::parse("md:{type}").value(), TrimPolicy::parse("0").value(), collector};
  const Stream& trade = *streams.find("trade", "gmo", "BTC_JPY");
  StreamLengths lengths;
  Shard shard{lengths, "md:cursor:{md:trade}", 11'429};
  Transaction transaction;
  RoundId round{"publisher/p", 5, 0};
  Outcome outcome;
  SteadyTime now{};

  // The next round, with entries of these numbers of a reader; 0 is one of our own.
  void begin(std::initializer_list<std::uint64_t> seqs, std::uint64_t epoch = 7) {
    transaction.clear();
    ++round.number;
    transaction.begin_batch("gmo", epoch);
    shard.touch(*trade.key);
    std::size_t offset = transaction.first_entry_offset();
    for (const std::uint64_t seq : seqs) transaction.add(trade, kBody, 2, UnixNanos{1}, seq);
    for (std::size_t i = 0; i < seqs.size(); ++i) {
      shard.add(i, offset, &transaction.batches().front());
      offset += transaction.entries()[i].bytes;
    }
  }
  std::vector<Words> commands() {
    std::string bytes;
    const std::size_t answers = shard.prepare(transaction, round, now, bytes);
    const auto read = read_commands(bytes);
    EXPECT_EQ(answers, read.size());
    return read;
  }
  Next answer(std::initializer_list<std::string> answers) {
    Next next = Next::More;
    for (const std::string& text : answers) {
      EXPECT_EQ(next, Next::More);
      next = shard.on_reply(reply_of(text), transaction, now, outcome);
    }
    return next;
  }
  // The streams are checked, and the only one has so many entries.
  void look(int length) {
    EXPECT_EQ(commands(), kLook);
    EXPECT_EQ(answer({"+OK\r\n", kQueued, "*1\r\n:" + std::to_string(length) + "\r\n"}), Next::Again);
  }
  static std::string hash(std::initializer_list<std::pair<const char*, const char*>> fields) {
    std::string text = "*" + std::to_string(2 * fields.size()) + "\r\n";
    for (const auto& [name, value] : fields) {
      for (const std::string& word : {std::string(name), std::string(value)})
        text += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
    }
    return text;
  }
  // Reads the cursors, writes two entries, and has them confirmed.
  void write_two() {
    begin({1, 2});
    EXPECT_EQ(commands(), std::vector<Words>{kQuestion});
    EXPECT_EQ(answer({kNothing}), Next::Again);
    look(0);
    EXPECT_EQ(commands(),
              (std::vector<Words>{{"MULTI"},
                                  kEntry,
                                  kEntry,
                                  {"HSET", "md:cursor:{md:trade}", "gmo", "7:2", "publisher/p", "5:1"},
                                  {"EXEC"}}));
    EXPECT_EQ(answer({"+OK\r\n", kQueued, kQueued, kQueued, "*3\r\n$3\r\n1-1\r\n$3\r\n1-2\r\n:2\r\n"}),
              Next::Done);
    shard.end_round(outcome);
    EXPECT_TRUE(outcome.removed.empty());
  }
};

TEST_F(ShardTest, asks_for_its_cursors_once_and_for_lengths_that_are_due) {
  write_two();
  now += std::chrono::seconds(2);
  begin({3});
  EXPECT_EQ(commands(),
            (std::vector<Words>{{"MULTI"},
                                kEntry,
                                {"XLEN", "md:trade"},
                                {"HSET", "md:cursor:{md:trade}", "gmo", "7:3", "publisher/p", "5:2"},
                                {"EXEC"}}));
}

TEST_F(ShardTest, entries_that_someone_removed_are_told_when_the_round_ends) {
  write_two();
  now += std::chrono::seconds(2);
  begin({3});
  commands();
  answer({"+OK\r\n", kQueued, kQueued, kQueued, "*3\r\n$3\r\n1-3\r\n:1\r\n:0\r\n"});
  EXPECT_TRUE(outcome.removed.empty());
  shard.end_round(outcome);
  ASSERT_EQ(outcome.removed.size(), 1U);
  EXPECT_EQ(outcome.removed[0].entries, 2U);
}

TEST_F(ShardTest, what_a_failover_undid_before_it_was_confirmed_was_not_removed) {
  write_two();
  now += std::chrono::seconds(2);
  begin({3, 4});
  commands();
  answer({"+OK\r\n", kQueued, kQueued, kQueued, kQueued, "*4\r\n$3\r\n1-3\r\n$3\r\n1-4\r\n:4\r\n:0\r\n"});
  shard.forget();  // its replicas were never heard of
  commands();
  answer({hash({{"gmo", "7:2"}, {"publisher/p", "5:1"}})});
  look(2);
  EXPECT_EQ(commands().size(), 5U);
  EXPECT_TRUE(outcome.removed.empty());
  EXPECT_FALSE(shard.take_loss());
}

TEST_F(ShardTest, a_key_of_another_type_is_found_before_an_entry_is_lost_to_it) {
  begin({1});
  commands();
  answer({kNothing});
  commands();
  const std::string wrong = "*1\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
  EXPECT_EQ(answer({"+OK\r\n", kQueued, wrong}), Next::Failed);
  EXPECT_EQ(shard.error().kind, RedisErrorKind::WrongType);
  EXPECT_EQ(shard.error().key, "md:trade");
  look(0);  // again, until someone mends it
  EXPECT_EQ(commands().size(), 4U);
}

TEST_F(ShardTest, a_length_that_may_not_be_asked_for_is_told_and_keeps_nothing_back) {
  begin({1});
  commands();
  answer({kNothing});
  commands();
  EXPECT_EQ(answer({"+OK\r\n", "-NOPERM no\r\n", "-EXECABORT x\r\n"}), Next::Again);
  ASSERT_TRUE(shard.take_unguarded());
  EXPECT_FALSE(shard.take_unguarded());
  EXPECT_EQ(commands().size(), 4U);
}

TEST_F(ShardTest, a_look_at_a_slot_that_moves_is_refused) {
  begin({1});
  commands();
  answer({kNothing});
  commands();
  EXPECT_EQ(answer({"+OK\r\n", "-ASK 11429 h:1\r\n", "-EXECABORT x\r\n"}), Next::Failed);
  EXPECT_EQ(shard.error().text, "ASK 11429 h:1");
}

TEST_F(ShardTest, cursors_that_are_new_again_were_deleted) {
  write_two();
  now += std::chrono::seconds(2);
  begin({3});
  commands();
  EXPECT_EQ(answer({"+OK\r\n", kQueued, kQueued, kQueued, "*3\r\n$3\r\n1-3\r\n:1\r\n:2\r\n"}), Next::Done);
  EXPECT_TRUE(shard.take_loss());
  shard.end_round(outcome);
  EXPECT_TRUE(outcome.removed.empty());
  begin({4});
  EXPECT_EQ(commands(), std::vector<Words>{kQuestion});
  answer({hash({{"gmo", "7:3"}, {"publisher/p", "5:2"}})});
  EXPECT_FALSE(shard.take_loss());
}

TEST_F(ShardTest, what_an_earlier_life_of_ours_wrote_is_not_written_again) {
  begin({1, 2, 3, 0});
  commands();
  answer({hash({{"gmo", "7:2"}, {"publisher/p", "4:9"}})});
  look(2);
  const auto written = commands();
  EXPECT_EQ(written.size(), 5U);  // of the three only the last, and ours
  EXPECT_EQ(written[3], (Words{"HSET", "md:cursor:{md:trade}", "gmo", "7:3", "publisher/p", "5:1"}));
}

TEST_F(ShardTest, cursors_of_another_epoch_hide_nothing_and_do_not_go_back) {
  begin({1, 2}, 6);
  commands();
  answer({hash({{"gmo", "7:9"}})});
  look(9);
  const auto written = commands();
  EXPECT_EQ(written.size(), 5U);
  EXPECT_EQ(written[3], (Words{"HSET", "md:cursor:{md:trade}", "publisher/p", "5:1"}));
}

TEST_F(ShardTest, a_transaction_that_was_carried_out_unheard_is_done) {
  write_two();
  begin({3, 0});
  commands();
  shard.forget();  // no answer came
  EXPECT_EQ(commands(), std::vector<Words>{kQuestion});
  EXPECT_EQ(answer({hash({{"gmo", "7:3"}, {"publisher/p", "5:2"}})}), Next::Again);
  EXPECT_TRUE(commands().empty());
  EXPECT_FALSE(shard.take_loss());
}

TEST_F(ShardTest, one_that_was_not_is_written_again) {
  write_two();
  begin({3, 0});
  commands();
  shard.forget();
  commands();
  answer({hash({{"gmo", "7:2"}, {"publisher/p", "5:1"}})});
  look(2);
  EXPECT_EQ(commands().size(), 5U);
  EXPECT_FALSE(shard.take_loss());
}

TEST_F(ShardTest, a_node_that_holds_less_than_was_confirmed_has_lost_it) {
  write_two();
  shard.forget();
  begin({3});
  commands();
  answer({hash({{"gmo", "7:1"}})});
  EXPECT_TRUE(shard.take_loss());
  EXPECT_FALSE(shard.take_loss());
  look(1);
  EXPECT_EQ(commands().size(), 4U);
}

TEST_F(ShardTest, a_refusal_says_what_and_writes_nothing) {
  write_two();
  begin({3, 4});
  commands();
  const std::string moved = "-MOVED 11429 127.0.0.1:7002\r\n";
  EXPECT_EQ(answer({"+OK\r\n", moved, moved, moved,
                    "-EXECABORT Transaction discarded because of previous errors.\r\n"}),
            Next::Failed);
  EXPECT_EQ(shard.error().text, "MOVED 11429 127.0.0.1:7002");
  EXPECT_EQ(shard.error().command, "XADD");
  EXPECT_EQ(commands().size(), 5U);  // the same again, without a question
  EXPECT_EQ(answer({"+OK\r\n", kQueued, kQueued, kQueued,
                    "-TRYAGAIN Multiple keys request during rehashing of slot\r\n"}),
            Next::Failed);
  EXPECT_EQ(shard.error().kind, RedisErrorKind::Cluster);
  EXPECT_EQ(commands().size(), 5U);
}

TEST_F(ShardTest, an_answer_that_says_too_little_makes_it_look_first) {
  write_two();
  begin({3});
  commands();
  EXPECT_EQ(answer({"+OK\r\n", kQueued, kQueued, "-ERR EXEC without MULTI\r\n"}), Next::Failed);
  EXPECT_EQ(commands(), std::vector<Words>{kQuestion});
}

TEST_F(ShardTest, an_entry_refused_inside_is_told) {
  write_two();
  begin({3, 4});
  commands();
  EXPECT_EQ(answer({"+OK\r\n", kQueued, kQueued, kQueued, "*3\r\n-WRONGTYPE x\r\n$3\r\n1-3\r\n:0\r\n"}),
            Next::Done);
  ASSERT_EQ(outcome.refused.size(), 1U);
  EXPECT_EQ(outcome.refused[0].entry, transaction.entries().data());
}

}  // namespace
}  // namespace mdpipe::publisher

// A shard from its entries to what Redis answers, whatever it answers.
#include "md-publisher/cluster/shard.hpp"

#include <gtest/gtest.h>

#include "resp_support.hpp"

namespace mdpipe::publisher {
namespace {

using Next = Shard::Next;
constexpr const char* kBody = "$1\r\nk\r\n$1\r\nv\r\n";
constexpr const char* kNothing = "*0\r\n";
constexpr const char* kQueued = "+QUEUED\r\n";
const Words kQuestion{"HGETALL", "md:cursor:{md:trade}"};
const Words kEntry{"XADD", "md:trade", "*", "k", "v"};

struct ShardTest : testing::Test {
  metrics::MetricsCollector collector{{"md-publisher", "p", "", true, 1000}};
  StreamTable streams{StreamNaming::parse("md:{type}").value(), TrimPolicy::parse("0").value(), collector};
  const Stream& trade = *streams.find("trade", "gmo", "BTC_JPY");
  Shard shard{"md:cursor:{md:trade}", 11'429};
  Transaction transaction;
  RoundId round{"publisher/p", 5, 0};
  Outcome outcome;

  // The next round, with entries of these numbers of a reader; 0 is one of our own.
  void begin(std::initializer_list<std::uint64_t> seqs, std::uint64_t epoch = 7) {
    transaction.clear();
    ++round.number;
    transaction.begin_batch("gmo", epoch);
    std::size_t offset = transaction.first_entry_offset();
    for (const std::uint64_t seq : seqs) transaction.add(trade, kBody, 2, UnixNanos{1}, seq);
    for (std::size_t i = 0; i < seqs.size(); ++i) {
      shard.add(i, offset, &transaction.batches().front());
      offset += transaction.entries()[i].bytes;
    }
  }
  std::vector<Words> commands() {
    std::string bytes;
    const std::size_t answers = shard.prepare(transaction, round, bytes);
    const auto read = read_commands(bytes);
    EXPECT_EQ(answers, read.size());
    return read;
  }
  Next answer(std::initializer_list<std::string> answers) {
    Next next = Next::More;
    for (const std::string& text : answers) {
      EXPECT_EQ(next, Next::More);
      next = shard.on_reply(reply_of(text), transaction, outcome);
    }
    return next;
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
    EXPECT_EQ(commands(),
              (std::vector<Words>{{"MULTI"},
                                  kEntry,
                                  kEntry,
                                  {"HSET", "md:cursor:{md:trade}", "gmo", "7:2", "publisher/p", "5:1"},
                                  {"EXEC"}}));
    EXPECT_EQ(answer({"+OK\r\n", kQueued, kQueued, kQueued, "*3\r\n$3\r\n1-1\r\n$3\r\n1-2\r\n:2\r\n"}),
              Next::Done);
    shard.end_round();
  }
};

TEST_F(ShardTest, asks_for_its_cursors_once) {
  write_two();
  begin({3});
  EXPECT_EQ(commands().size(), 4U);
}

TEST_F(ShardTest, what_an_earlier_life_of_ours_wrote_is_not_written_again) {
  begin({1, 2, 3, 0});
  commands();
  answer({hash({{"gmo", "7:2"}, {"publisher/p", "4:9"}})});
  const auto written = commands();
  EXPECT_EQ(written.size(), 5U);  // of the three only the last, and ours
  EXPECT_EQ(written[3], (Words{"HSET", "md:cursor:{md:trade}", "gmo", "7:3", "publisher/p", "5:1"}));
}

TEST_F(ShardTest, cursors_of_another_epoch_hide_nothing_and_do_not_go_back) {
  begin({1, 2}, 6);
  commands();
  answer({hash({{"gmo", "7:9"}})});
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
  EXPECT_EQ(commands().size(), 4U);
}

TEST_F(ShardTest, a_refusal_says_what_and_writes_nothing) {
  write_two();
  begin({3, 4});
  commands();
  const std::string moved = "-MOVED 11429 127.0.0.1:7002\r\n";
  EXPECT_EQ(answer({"+OK\r\n", moved, moved, moved,
                    "-EXECABORT Transaction discarded because of previous errors.\r\n"}),
            Next::Refused);
  EXPECT_EQ(shard.refused().error, "MOVED 11429 127.0.0.1:7002");
  EXPECT_EQ(shard.refused().command, "XADD");
  EXPECT_EQ(commands().size(), 5U);  // the same again, without a question
  EXPECT_EQ(answer({"+OK\r\n", kQueued, kQueued, kQueued,
                    "-TRYAGAIN Multiple keys request during rehashing of slot\r\n"}),
            Next::Refused);
  EXPECT_EQ(shard.refused().kind, Refusal::Cluster);
  EXPECT_EQ(commands().size(), 5U);
}

TEST_F(ShardTest, an_answer_that_says_too_little_makes_it_look_first) {
  write_two();
  begin({3});
  commands();
  EXPECT_EQ(answer({"+OK\r\n", kQueued, kQueued, "-ERR EXEC without MULTI\r\n"}), Next::Refused);
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

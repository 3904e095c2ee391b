// A transaction from its first entry to what EXEC said about it.
#include "md-publisher/transaction/transaction.hpp"

#include <gtest/gtest.h>

#include "md-publisher/transaction/gap_notes.hpp"
#include "md-publisher/transaction/outcome.hpp"
#include "md-publisher/transaction/preflight.hpp"
#include "tests/unit/md-publisher/redis/resp_support.hpp"

namespace mdpipe::publisher {
namespace {

constexpr SteadyTime kNow{};
constexpr auto kOneSecond = std::chrono::seconds(1);
constexpr const char* kWrongType = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

struct TransactionTest : testing::Test {
  metrics::MetricsCollector collector{{"md-publisher", "p", "", true, 1000}};
  StreamTable streams{StreamNaming::parse("md:{type}").value(), TrimPolicy::parse("0").value(), collector};
  const Stream& trade = *streams.find("trade", "gmo", "BTC_JPY");
  const Stream& other_trade = *streams.find("trade", "gmo", "ETH_JPY");
  const Stream& ticker = *streams.find("ticker", "gmo", "BTC_JPY");
  Transaction transaction;
  StreamLengths lengths;
  Preflight preflight{lengths};

  void add(const Stream& stream, int count = 1) {
    for (int i = 0; i < count; ++i) transaction.add(stream, kBody, 2, UnixNanos{1});
  }
  std::vector<Words> sealed(SteadyTime now = kNow) {
    transaction.seal({"md:cursor", "md:state"}, lengths, now);
    return read_commands(transaction.commands());
  }
  // Asks and answers all questions; returns how many there were.
  int ask(std::initializer_list<const char*> answers) {
    const bool any = preflight.prepare(transaction.touched(), transaction.states().empty() ? "" : "md:state");
    EXPECT_EQ(any, answers.size() > 0);
    int asked = 0;
    for (const char* answer : answers) {
      const bool last = preflight.on_reply(reply_of(answer), kNow);
      EXPECT_EQ(last, ++asked == static_cast<int>(answers.size()));
    }
    return asked;
  }
  Outcome outcome(const std::string& exec, SteadyTime now = kNow) {
    reply = reply_of(exec);
    auto read = read_outcome(reply, transaction, lengths, now);
    EXPECT_TRUE(read.has_value());
    return read.value_or(Outcome{});
  }
  Reply reply;  // the outcome length_checks into it
};

TEST_F(TransactionTest, has_states_and_cursors_behind_its_entries) {
  add(trade);
  transaction.set_cursor("gmo", {7, 1});
  transaction.set_state("gmo:trade:BTC_JPY", "old");
  transaction.set_state("gmo:trade:BTC_JPY", "new");
  EXPECT_EQ(sealed(), (std::vector<Words>{{"MULTI"},
                                          {"XADD", "md:trade", "*", "k", "v"},
                                          {"HSET", "md:state", "gmo:trade:BTC_JPY", "new"},
                                          {"HSET", "md:cursor", "gmo", "7:1"},
                                          {"EXEC"}}));
  EXPECT_EQ(transaction.command_count(), 5U);
  EXPECT_EQ(transaction.command(1).key, "md:trade");
  EXPECT_EQ(transaction.command(2).key, "md:state");
  EXPECT_EQ(transaction.command(3).key, "md:cursor");
  EXPECT_EQ(transaction.command(4).name, "EXEC");
}

TEST_F(TransactionTest, the_memory_of_a_burst_is_given_back_once_nothing_needs_it) {
  const auto held = [this] { return transaction.commands().capacity(); };
  const auto use = [this](int entries) {
    add(trade, entries);
    transaction.clear();
  };
  use(20'000);
  const std::size_t burst = held();
  ASSERT_GT(burst, process::BurstMemory::kKeptBytes);
  for (unsigned i = 1; i < process::BurstMemory::kUses; ++i) use(1);
  EXPECT_EQ(held(), burst);
  use(10'000);  // it goes on
  for (unsigned i = 1; i < process::BurstMemory::kUses; ++i) use(1);
  EXPECT_EQ(held(), burst);
  use(1);
  EXPECT_LT(held(), burst / 8);
}

TEST_F(TransactionTest, without_a_cursor_is_whole_too) {
  add(trade);
  EXPECT_FALSE(transaction.empty());
  EXPECT_EQ(sealed().size(), 3U);
}

TEST_F(TransactionTest, states_that_were_refused_do_not_replace_newer_ones) {
  transaction.set_state("a", "new");
  transaction.add_missing_states({{"a", "old"}, {"b", "old"}});
  EXPECT_EQ(transaction.states(), (Transaction::States{{"a", "new"}, {"b", "old"}}));
}

TEST_F(TransactionTest, asks_each_stream_once_and_the_states_once) {
  add(trade);
  add(other_trade);
  add(ticker);
  transaction.set_state("f", "v");
  EXPECT_EQ(ask({":0\r\n", ":5\r\n", ":1\r\n"}), 3);
  EXPECT_FALSE(preflight.problem());
  EXPECT_EQ(ask({}), 0);
  preflight.forget();
  EXPECT_EQ(ask({":0\r\n", ":5\r\n", ":1\r\n"}), 3);
}

TEST_F(TransactionTest, a_key_of_another_type_is_found_before_and_asked_again) {
  add(trade);
  add(ticker);
  ask({":0\r\n", kWrongType});
  ASSERT_TRUE(preflight.problem());
  EXPECT_EQ(preflight.problem()->kind, RedisErrorKind::WrongType);
  EXPECT_EQ(preflight.problem()->key, "md:ticker");
  ask({":0\r\n"});
  EXPECT_FALSE(preflight.problem());
}

TEST_F(TransactionTest, a_state_key_of_another_type_is_found_before) {
  transaction.set_state("f", "v");
  ask({kWrongType});
  ASSERT_TRUE(preflight.problem());
  EXPECT_EQ(preflight.problem()->key, "md:state");
}

TEST_F(TransactionTest, a_length_that_may_not_be_asked_leaves_the_stream_unguarded) {
  add(trade);
  ask({"-NOPERM this user has no permissions to run the 'xlen' command\r\n"});
  EXPECT_FALSE(preflight.problem());
  ASSERT_TRUE(preflight.unguarded());
  EXPECT_EQ(preflight.unguarded()->key, "md:trade");
  EXPECT_EQ(sealed(kNow + kOneSecond).size(), 3U);  // no XLEN in it
}

TEST_F(TransactionTest, looks_at_the_length_once_a_second) {
  add(trade, 2);
  ask({":10\r\n"});
  EXPECT_EQ(sealed(kNow + kOneSecond / 2).size(), 4U);
  const auto commands = sealed(kNow + kOneSecond);
  EXPECT_EQ(commands.size(), 5U);
  EXPECT_EQ(commands[3], (Words{"XLEN", "md:trade"}));
  EXPECT_EQ(transaction.command(3).name, "XLEN");
}

TEST_F(TransactionTest, sealing_again_replaces_the_end) {
  add(trade);
  ask({":10\r\n"});
  sealed(kNow + kOneSecond);
  lengths.on_check_failed(*trade.key);
  transaction.set_cursor("gmo", {7, 1});
  EXPECT_EQ(
      sealed(kNow + kOneSecond),
      (std::vector<Words>{
          {"MULTI"}, {"XADD", "md:trade", "*", "k", "v"}, {"HSET", "md:cursor", "gmo", "7:1"}, {"EXEC"}}));
}

TEST_F(TransactionTest, entries_missing_at_the_look_were_removed) {
  add(trade, 2);
  ask({":10\r\n"});
  sealed(kNow + kOneSecond);
  const auto found = outcome("*3\r\n$3\r\n1-1\r\n$3\r\n1-2\r\n:9\r\n", kNow + kOneSecond);
  ASSERT_EQ(found.removed.size(), 1U);
  EXPECT_EQ(found.removed[0].key->name, "md:trade");
  EXPECT_EQ(found.removed[0].entries, 3U);
}

TEST_F(TransactionTest, entries_missing_on_a_new_connection_were_removed_meanwhile) {
  add(trade, 2);
  ask({":10\r\n"});
  preflight.forget();
  ask({":4\r\n"});
  ASSERT_EQ(preflight.removed().size(), 1U);
  EXPECT_EQ(preflight.removed()[0].entries, 6U);
}

TEST_F(TransactionTest, each_refused_entry_is_told_and_not_missed_later) {
  add(trade);
  add(ticker);
  ask({":0\r\n", ":0\r\n"});
  sealed();
  const auto found = outcome(std::string("*2\r\n$3\r\n1-1\r\n") + kWrongType);
  ASSERT_EQ(found.refused.size(), 1U);
  EXPECT_EQ(found.refused[0].entry->stream, &ticker);
  EXPECT_EQ(lengths.on_length(*ticker.key, 0, kNow), 0U);
  EXPECT_EQ(lengths.on_length(*trade.key, 0, kNow), 1U);
}

TEST_F(TransactionTest, refused_states_and_cursors_are_told_apart) {
  transaction.set_state("f", "v");
  transaction.set_cursor("gmo", {7, 1});
  sealed();
  const auto found = outcome(std::string("*2\r\n") + kWrongType + ":1\r\n");
  ASSERT_TRUE(found.states_refused);
  EXPECT_EQ(found.states_refused->key, "md:state");
  EXPECT_FALSE(found.cursors_refused);
  EXPECT_EQ(found.cursors_created, 1U);
  EXPECT_EQ(outcome(std::string("*2\r\n:0\r\n") + kWrongType).cursors_refused->key, "md:cursor");
}

TEST_F(TransactionTest, an_answer_of_another_length_is_none) {
  add(trade);
  sealed();
  EXPECT_FALSE(read_outcome(reply_of("*0\r\n"), transaction, lengths, kNow));
}

TEST_F(TransactionTest, a_cut_stream_gives_each_feed_in_it_a_note_and_a_number_where_it_is_alone) {
  GapNotes notes;
  notes.on_removed({trade.key, 5});
  notes.on_removed({ticker.key, 3});
  notes.on_removed({ticker.key, 4});
  const auto& taken = notes.begin_writing();
  ASSERT_EQ(taken.size(), 3U);
  EXPECT_FALSE(taken.at(&trade).lost);
  EXPECT_FALSE(taken.at(&other_trade).lost);
  EXPECT_EQ(taken.at(&ticker).lost, 7U);
}

TEST_F(TransactionTest, notes_come_back_where_their_transaction_failed) {
  GapNotes notes;
  notes.on_rejected(trade);
  notes.begin_writing();
  EXPECT_TRUE(notes.empty());
  notes.on_rejected(trade);
  notes.on_lost();
  EXPECT_EQ(notes.begin_writing().at(&trade).lost, 2U);
  notes.on_committed();
  notes.on_lost();
  EXPECT_TRUE(notes.empty());
}

}  // namespace
}  // namespace mdpipe::publisher

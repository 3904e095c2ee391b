#include "md-publisher/transaction/stream_maintenance.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/unit/md-publisher/redis/resp_support.hpp"

namespace mdpipe::publisher {
namespace {

constexpr auto kUpkeepSecond = std::chrono::seconds(1);
constexpr UnixNanos kWall{1'000'000'000'000'000};  // 1,000,000,000 ms
constexpr const char* kNoPerm = "-NOPERM this user has no permissions to run the command\r\n";

struct UpkeepTest : testing::Test {
  metrics::MetricsCollector collector{{"md-publisher", "p", "", true, 1000}};
  StreamTable streams{StreamNaming::parse("md:{type}").value(),
                      TrimPolicy::parse("0", "1h,ticker=0,orderbook=500ms").value(), collector};
  const Stream& trade = *streams.find("trade", "gmo", "BTC_JPY");
  const Stream& ticker = *streams.find("ticker", "gmo", "BTC_JPY");
  StreamLengths lengths;
  SteadyTime now{};

  static void touch(StreamMaintenance& maintenance, std::initializer_list<const Stream*> touched) {
    Transaction transaction;
    for (const Stream* stream : touched) transaction.add(*stream, "$1\r\nk\r\n$1\r\nv\r\n", 2, UnixNanos{1});
    maintenance.touch(transaction);
  }
  std::vector<Words> round(StreamMaintenance& maintenance) {
    now += kUpkeepSecond;
    return maintenance.prepare(now, kWall) ? read_commands(maintenance.commands()) : std::vector<Words>();
  }
  static void answer(StreamMaintenance& maintenance, std::initializer_list<const char*> answers) {
    std::size_t index = 0;
    for (const char* text : answers) {
      const bool is_last = maintenance.on_reply(index, reply_of(text));
      EXPECT_EQ(is_last, ++index == answers.size());
    }
  }
};

TEST_F(UpkeepTest, asks_redis_for_its_memory_every_five_seconds) {
  StreamMaintenance maintenance(lengths, 0);
  EXPECT_EQ(round(maintenance), (std::vector<Words>{{"INFO", "memory"}}));
  answer(maintenance, {"$53\r\n# Memory\r\nused_memory:90\r\nmaxmemory:100\r\nmaxmemory_p:\r\n\r\n"});
  ASSERT_TRUE(maintenance.report().memory);
  EXPECT_EQ(maintenance.report().memory->used, 90U);
  EXPECT_EQ(maintenance.report().memory->max, 100U);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(round(maintenance).empty());
  EXPECT_EQ(round(maintenance).size(), 1U);
}

TEST(RedisMemory, knows_the_policies_that_delete_what_was_not_asked_for) {
  const std::string info =
      "# Memory\r\nused_memory:1\r\nused_memory_peak:5\r\nmaxmemory:7\r\nmaxmemory_policy:";
  EXPECT_FALSE(parse_memory(info + "noeviction\r\n")->evicts);
  EXPECT_FALSE(parse_memory(info + "volatile-lru\r\n")->evicts);
  EXPECT_TRUE(parse_memory(info + "allkeys-lru\r\n")->evicts);
  EXPECT_FALSE(parse_memory("# Memory\r\n"));
}

TEST_F(UpkeepTest, trims_by_age_what_has_one) {
  StreamMaintenance maintenance(lengths, 0);
  touch(maintenance, {&trade, &ticker, streams.find("orderbook", "gmo", "BTC_JPY")});
  EXPECT_EQ(round(maintenance), (std::vector<Words>{{"INFO", "memory"},
                                                    {"XTRIM", "md:trade", "MINID", "~", "996400000"},
                                                    {"XTRIM", "md:orderbook", "MINID", "~", "999999500"}}));
}

TEST_F(UpkeepTest, what_it_trims_itself_is_not_missed) {
  StreamMaintenance maintenance(lengths, 0);
  touch(maintenance, {&trade});
  lengths.on_length(*trade.key, 100, now);
  round(maintenance);
  answer(maintenance, {"$0\r\n\r\n", ":30\r\n"});
  EXPECT_EQ(maintenance.report().trimmed, 30U);
  EXPECT_EQ(lengths.length(*trade.key), 70U);
  EXPECT_EQ(lengths.on_length(*trade.key, 69, now), 1U);
}

TEST_F(UpkeepTest, an_answer_that_was_not_heard_makes_the_length_unknown) {
  StreamMaintenance maintenance(lengths, 0);
  touch(maintenance, {&trade});
  lengths.on_length(*trade.key, 100, now);
  round(maintenance);
  EXPECT_FALSE(maintenance.on_unheard(0));
  EXPECT_TRUE(maintenance.on_unheard(1));
  EXPECT_EQ(lengths.on_length(*trade.key, 1, now), 0U);
}

TEST_F(UpkeepTest, every_stream_gives_the_same_part_of_what_is_too_much) {
  StreamTable plain(StreamNaming::parse("{type}").value(), TrimPolicy::parse("0").value(), collector);
  const Stream& a = *plain.find("a", "x", "s");
  const Stream& b = *plain.find("b", "x", "s");
  StreamMaintenance maintenance(lengths, 1000);
  touch(maintenance, {&a, &b});
  lengths.on_length(*a.key, 100, now);
  lengths.on_length(*b.key, 10, now);
  EXPECT_EQ(round(maintenance),
            (std::vector<Words>{{"INFO", "memory"}, {"MEMORY", "USAGE", "a"}, {"MEMORY", "USAGE", "b"}}));
  answer(maintenance, {"$0\r\n\r\n", ":1500\r\n", ":500\r\n"});
  EXPECT_EQ(maintenance.report().stream_bytes, 2000U);
  EXPECT_EQ(round(maintenance), (std::vector<Words>{{"XTRIM", "a", "MAXLEN", "~", "48"},
                                                    {"MEMORY", "USAGE", "a"},
                                                    {"XTRIM", "b", "MAXLEN", "~", "5"},
                                                    {"MEMORY", "USAGE", "b"}}));
  answer(maintenance, {":50\r\n", ":750\r\n", ":0\r\n", ":250\r\n"});
  EXPECT_EQ(maintenance.report().stream_bytes, 1000U);
  EXPECT_TRUE(round(maintenance).empty());  // nothing has grown
}

TEST_F(UpkeepTest, asks_for_more_while_no_stream_has_a_whole_node_to_give) {
  StreamTable plain(StreamNaming::parse("{type}").value(), TrimPolicy::parse("0").value(), collector);
  const Stream& a = *plain.find("a", "x", "s");
  StreamMaintenance maintenance(lengths, 1000);
  touch(maintenance, {&a});
  lengths.on_length(*a.key, 200, now);
  round(maintenance);
  answer(maintenance, {"$0\r\n\r\n", ":1100\r\n"});
  std::vector<std::string> asked;
  for (const char* trimmed : {":0\r\n", ":0\r\n", ":100\r\n", ":0\r\n"}) {
    asked.push_back(round(maintenance).at(0).at(4));
    answer(maintenance, {trimmed, ":1100\r\n"});
  }
  EXPECT_EQ(asked, (std::vector<std::string>{"173", "147", "125", "86"}));
}

// Without a bound, the first XTRIM that Redis carries out would empty the streams.
TEST_F(UpkeepTest, however_long_nothing_could_be_cut_the_next_cut_has_a_bound) {
  StreamTable plain(StreamNaming::parse("{type}").value(), TrimPolicy::parse("0").value(), collector);
  const Stream& a = *plain.find("a", "x", "s");
  StreamMaintenance maintenance(lengths, 1000);
  touch(maintenance, {&a});
  lengths.on_length(*a.key, 200, now);
  round(maintenance);
  answer(maintenance, {"$0\r\n\r\n", ":1100\r\n"});
  const auto cut_to = [&](const char* answered) {
    const auto commands = round(maintenance);
    const auto cut = std::find_if(commands.begin(), commands.end(),
                                  [](const Words& words) { return words[0] == "XTRIM"; });
    for (std::size_t i = 0; i < commands.size(); ++i)
      maintenance.on_reply(i, reply_of(commands[i] == *cut ? answered : ":1100\r\n"));
    return cut->at(4);
  };
  for (int i = 0; i < 100; ++i) EXPECT_EQ(cut_to("-BUSY a script runs\r\n"), "173");
  for (int i = 0; i < 100; ++i) cut_to(":0\r\n");
  EXPECT_EQ(cut_to(":0\r\n"), "77");
}

TEST_F(UpkeepTest, a_missing_right_is_told_once_and_tried_again_on_the_next_connection) {
  StreamMaintenance maintenance(lengths, 0);
  touch(maintenance, {&trade});
  round(maintenance);
  answer(maintenance, {"$0\r\n\r\n", kNoPerm});
  ASSERT_TRUE(maintenance.report().refused);
  EXPECT_EQ(maintenance.report().refused->command, "XTRIM");
  EXPECT_EQ(maintenance.report().refused->key, "md:trade");
  EXPECT_TRUE(round(maintenance).empty());
  maintenance.start_over();
  EXPECT_EQ(round(maintenance).size(), 2U);
  answer(maintenance, {"$0\r\n\r\n", kNoPerm});
  EXPECT_FALSE(maintenance.report().refused);
}

TEST_F(UpkeepTest, many_streams_take_turns) {
  StreamTable many(StreamNaming::parse("{symbol}").value(), TrimPolicy::parse("0", "1h").value(), collector);
  StreamMaintenance maintenance(lengths, 0);
  std::set<std::string> seen;
  for (int i = 0; i < 800; ++i) touch(maintenance, {many.find("trade", "x", std::to_string(i))});
  for (int i = 0; i < 2; ++i) {
    for (const Words& words : round(maintenance)) {
      if (words[0] == "XTRIM") seen.insert(words[1]);
    }
  }
  EXPECT_EQ(seen.size(), 800U);
}

}  // namespace
}  // namespace mdpipe::publisher

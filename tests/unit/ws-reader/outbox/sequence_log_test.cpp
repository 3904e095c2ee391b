// A kill is simulated by copying the file while its owner lives: that is what the next life would find.
#include "ws-reader/outbox/sequence_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <random>
#include <tuple>

#include "tests/unit/ws-reader/outbox/spool_support.hpp"

namespace mdpipe::reader {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
namespace fs = std::filesystem;

constexpr std::uint64_t kLifeEpoch = 77;
constexpr std::uint64_t kOrigin = 5;
// Channel ("" where it is not known), symbol, count.
using Told = std::vector<std::tuple<std::string, std::string, std::uint64_t>>;

struct SequenceLogTest : testing::Test {
  TemporaryFolder folder;
  InFlightOptions options{folder.file("in-flight"), "boot-1", "gmo", "gmo", 16, 8};

  SequenceLog begin(const SequenceLog::Expected& expected = {}) {
    auto made = SequenceLog::create(options, kLifeEpoch, kOrigin, expected);
    if (!made) throw std::runtime_error(made.error().message);
    return std::move(made.value());
  }
  // What the next life finds after a kill.
  std::optional<SequenceLog> killed() {
    fs::copy_file(options.path, folder.file("killed"), fs::copy_options::overwrite_existing);
    fs::rename(folder.file("killed"), options.path);
    return SequenceLog::load(options);
  }
  static void note(SequenceLog& life, EventType channel, std::string_view symbol, int count = 1) {
    for (int i = 0; i < count; ++i) life.note(life.feed(channel, symbol));
  }
  static SequenceLog::Lost into(Told& told) {
    return [&told](std::optional<EventType> channel, std::string_view symbol, std::uint64_t count) {
      told.emplace_back(channel ? to_string(*channel) : "", symbol, count);
    };
  }
  static Told numbered(SequenceLog& life, std::uint64_t reached) {
    Told told;
    life.report_lost(reached, into(told));
    return told;
  }
  static Told unnumbered(SequenceLog& life, const SequenceLog::Expected& expected) {
    Told told;
    life.tell_unnumbered(expected, into(told));
    return told;
  }
  bool was_set_aside() const { return fs::exists(options.path + ".unusable"); }
};

TEST_F(SequenceLogTest, tells_by_feed_what_came_behind_the_last_one_that_arrived) {
  SequenceLog life = begin();
  note(life, EventType::Trade, "BTC", 3);
  note(life, EventType::Ticker, "BTC", 2);
  note(life, EventType::Trade, "ETH");
  life.confirm(1);
  auto found = killed();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->epoch(), kLifeEpoch);
  EXPECT_EQ(found->origin(), kOrigin);
  EXPECT_EQ(found->last_seq(), 6U);
  EXPECT_EQ(found->confirmed(), 1U);
  EXPECT_FALSE(found->is_complete());
  EXPECT_THAT(numbered(*found, 2),
              UnorderedElementsAre(std::tuple("trade", "BTC", 1U), std::tuple("ticker", "BTC", 2U),
                                   std::tuple("trade", "ETH", 1U)));
  EXPECT_TRUE(found->is_decided());
  EXPECT_THAT(numbered(*found, 2), IsEmpty());  // once
}

TEST_F(SequenceLogTest, where_everything_arrived_nothing_is_told) {
  SequenceLog life = begin();
  note(life, EventType::Trade, "BTC", 3);
  life.complete();
  auto found = killed();
  EXPECT_TRUE(found->is_complete());
  EXPECT_THAT(numbered(*found, 3), IsEmpty());
}

TEST_F(SequenceLogTest, events_that_nobody_received_and_those_counted_elsewhere_are_not_told) {
  SequenceLog life = begin();
  note(life, EventType::Feed, "BTC", 2);
  note(life, EventType::Trade, "BTC", 4);
  life.forget(3, 4);
  auto found = killed();
  EXPECT_THAT(numbered(*found, 0), ElementsAre(std::tuple("trade", "BTC", 2U)));
}

// Goal: more on its way than the ring remembers: the number is right, and of the forgotten ones it says that
// the feed is not known.
TEST_F(SequenceLogTest, what_the_ring_has_forgotten_is_told_without_its_feed) {
  SequenceLog life = begin();
  note(life, EventType::Trade, "BTC", 20);
  note(life, EventType::Ticker, "BTC", 10);
  auto found = killed();
  EXPECT_THAT(numbered(*found, 4),
              UnorderedElementsAre(std::tuple("", "", 10U), std::tuple("trade", "BTC", 6U),
                                   std::tuple("ticker", "BTC", 10U)));
}

TEST_F(SequenceLogTest, a_feed_that_finds_no_room_is_told_without_its_name) {
  SequenceLog life = begin();
  for (int i = 0; i < 10; ++i) note(life, EventType::Trade, std::to_string(i));
  note(life, EventType::Trade, std::string(100, 'x'));
  auto found = killed();
  const Told told = numbered(*found, 0);
  EXPECT_EQ(told.size(), 7U);
  EXPECT_THAT(told, testing::Contains(std::tuple("", "", 5U)));
  EXPECT_THAT(unnumbered(*found, {{{EventType::Trade, "0"}, 9}}), IsEmpty());  // nobody can tell
}

TEST_F(SequenceLogTest, tells_once_what_was_received_and_never_numbered) {
  SequenceLog life = begin({{{EventType::Trade, "BTC"}, 100}});
  note(life, EventType::Trade, "BTC", 3);
  note(life, EventType::Ticker, "BTC", 1);
  const SequenceLog::Expected now{
      {{EventType::Trade, "BTC"}, 105}, {{EventType::Ticker, "BTC"}, 1}, {{EventType::OrderBook, "BTC"}, 4}};
  auto found = killed();
  EXPECT_THAT(unnumbered(*found, now),
              UnorderedElementsAre(std::tuple("trade", "BTC", 2U), std::tuple("orderbook", "BTC", 4U)));
  found = killed();  // before anything else was done
  EXPECT_THAT(unnumbered(*found, now), IsEmpty());
  EXPECT_THAT(numbered(*found, 3), ElementsAre(std::tuple("ticker", "BTC", 1U)));
}

// Goal: a kill while losses are told neither loses nor doubles any. Method: it is hit after each of them.
TEST_F(SequenceLogTest, telling_goes_on_after_a_kill) {
  SequenceLog life = begin();
  for (const char* symbol : {"A", "B", "C"}) note(life, EventType::Trade, symbol, 2);
  auto found = killed();
  Told told;
  struct Kill {};
  for (int round = 0; round < 4; ++round) {
    const std::size_t before = told.size();
    try {
      found->report_lost(0, [&](std::optional<EventType>, std::string_view symbol, std::uint64_t count) {
        if (told.size() > before) throw Kill();
        told.emplace_back("trade", symbol, count);
      });
    } catch (const Kill&) {
    }
    found = killed();
  }
  EXPECT_THAT(told, ElementsAre(std::tuple("trade", "A", 2U), std::tuple("trade", "B", 2U),
                                std::tuple("trade", "C", 2U)));
}

TEST_F(SequenceLogTest, there_is_nothing_where_there_was_no_life_or_another_boot) {
  EXPECT_FALSE(SequenceLog::load(options));
  { const SequenceLog life = begin(); }
  options.boot_id = "boot-2";
  EXPECT_FALSE(SequenceLog::load(options));
  EXPECT_FALSE(was_set_aside());
}

TEST_F(SequenceLogTest, another_readers_file_is_set_aside) {
  { const SequenceLog life = begin(); }
  options.source = "other";
  EXPECT_FALSE(SequenceLog::load(options));
  EXPECT_TRUE(was_set_aside());
}

// A process that does nothing but note is killed while it does, nearly always inside of note().
TEST_F(SequenceLogTest, a_note_that_a_kill_cuts_in_half_is_finished) {
  for (int kill_count = 0; kill_count < 50; ++kill_count) {
    int begun[2];
    ASSERT_EQ(pipe(begun), 0);
    const pid_t child = fork();
    if (child == 0) {
      SequenceLog life = begin();
      note(life, EventType::Trade, "BTC", 100);
      (void)!write(begun[1], "!", 1);
      for (;;) note(life, EventType::Trade, "BTC");
    }
    char sign = 0;
    ASSERT_EQ(read(begun[0], &sign, 1), 1);
    kill(child, SIGKILL);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    close(begun[0]);
    close(begun[1]);
    auto found = SequenceLog::load(options);
    ASSERT_TRUE(found) << "kill " << kill_count;
    std::uint64_t sum = 0;
    for (const auto& [channel, symbol, count] : numbered(*found, 0)) sum += count;
    EXPECT_EQ(sum, found->last_seq());
  }
}

TEST_F(SequenceLogTest, counts_that_do_not_add_up_are_set_aside) {
  {
    SequenceLog life = begin();
    note(life, EventType::Trade, "BTC", 3);
  }
  damage(options.path, 4096 + 2, 1);  // the first place of the ring
  EXPECT_FALSE(SequenceLog::load(options));
  EXPECT_TRUE(was_set_aside());
}

// Goal: whatever the bytes, the next life starts. Method: seeded random changes and cuts.
TEST_F(SequenceLogTest, any_bytes_never_stop_the_program) {
  {
    SequenceLog life = begin();
    note(life, EventType::Trade, "BTC", 30);
  }
  std::ifstream file(options.path, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
  std::mt19937_64 random(7);
  for (int round = 0; round < 300; ++round) {
    std::string changed = whole;
    for (int i = 0; i < 3; ++i)
      changed[random() % (random() % 2 == 0 ? 560 : changed.size())] = static_cast<char>(random());
    if (round % 5 == 0) changed.resize(random() % changed.size());
    std::ofstream(options.path, std::ios::binary | std::ios::trunc) << changed;
    if (auto found = SequenceLog::load(options)) {
      unnumbered(*found, {{{EventType::Trade, "BTC"}, 31}});
      numbered(*found, 0);
    }
  }
  EXPECT_TRUE(was_set_aside());
}

TEST_F(SequenceLogTest, without_a_folder_there_is_an_error) {
  options.path = folder.file("none") + "/in-flight";
  EXPECT_FALSE(SequenceLog::create(options, kLifeEpoch, kOrigin, {}));
}

}  // namespace
}  // namespace mdpipe::reader

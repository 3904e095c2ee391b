// A kill is simulated by copying the file while its owner runs: that is what the next run would find.
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

constexpr std::uint64_t kLogEpoch = 77;
constexpr std::uint64_t kOrigin = 5;
// Channel ("" if it is not known), symbol, count.
using Reports = std::vector<std::tuple<std::string, std::string, std::uint64_t>>;

struct SequenceLogTest : testing::Test {
  TemporaryFolder folder;
  SequenceLogOptions options{folder.file("in-flight"), "boot-1", "gmo", "gmo", 16, 8};

  SequenceLog begin(const SequenceLog::Expected& expected = {}) {
    auto made = SequenceLog::create(options, kLogEpoch, kOrigin, expected);
    if (!made) throw std::runtime_error(made.error().message);
    return std::move(made.value());
  }
  // What the next run finds after a kill.
  std::optional<SequenceLog> killed() {
    fs::copy_file(options.path, folder.file("killed"), fs::copy_options::overwrite_existing);
    fs::rename(folder.file("killed"), options.path);
    return SequenceLog::load(options);
  }
  static void note(SequenceLog& log, EventType channel, std::string_view symbol, int count = 1) {
    for (int i = 0; i < count; ++i) log.note(log.feed(channel, symbol));
  }
  static SequenceLog::LossCallback into(Reports& reports) {
    return [&reports](std::optional<EventType> channel, std::string_view symbol, std::uint64_t count) {
      reports.emplace_back(channel ? to_string(*channel) : "", symbol, count);
    };
  }
  static Reports numbered(SequenceLog& log, std::uint64_t reached) {
    Reports reports;
    log.report_lost(reached, into(reports));
    return reports;
  }
  static Reports unnumbered(SequenceLog& log, const SequenceLog::Expected& expected) {
    Reports reports;
    log.report_unnumbered(expected, into(reports));
    return reports;
  }
  bool was_set_aside() const { return fs::exists(options.path + ".unusable"); }
};

TEST_F(SequenceLogTest, reports_by_feed_what_came_after_the_last_event_in_redis) {
  SequenceLog log = begin();
  note(log, EventType::Trade, "BTC", 3);
  note(log, EventType::Ticker, "BTC", 2);
  note(log, EventType::Trade, "ETH");
  log.confirm(1);
  auto found = killed();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->epoch(), kLogEpoch);
  EXPECT_EQ(found->origin(), kOrigin);
  EXPECT_EQ(found->last_seq(), 6U);
  EXPECT_EQ(found->confirmed(), 1U);
  EXPECT_FALSE(found->is_complete());
  EXPECT_THAT(numbered(*found, 2),
              UnorderedElementsAre(std::tuple("trade", "BTC", 1U), std::tuple("ticker", "BTC", 2U),
                                   std::tuple("trade", "ETH", 1U)));
  EXPECT_TRUE(found->has_counted_lost());
  EXPECT_THAT(numbered(*found, 2), IsEmpty());  // once
}

TEST_F(SequenceLogTest, reports_nothing_if_everything_arrived) {
  SequenceLog log = begin();
  note(log, EventType::Trade, "BTC", 3);
  log.mark_complete();
  auto found = killed();
  EXPECT_TRUE(found->is_complete());
  EXPECT_THAT(numbered(*found, 3), IsEmpty());
}

TEST_F(SequenceLogTest, events_that_nobody_received_and_those_counted_elsewhere_are_not_reported) {
  SequenceLog log = begin();
  note(log, EventType::Feed, "BTC", 2);
  note(log, EventType::Trade, "BTC", 4);
  log.forget(3, 4);
  auto found = killed();
  EXPECT_THAT(numbered(*found, 0), ElementsAre(std::tuple("trade", "BTC", 2U)));
}

// Goal: more events are in flight than the ring remembers: their number is right, and the forgotten ones are
// reported without a feed.
TEST_F(SequenceLogTest, what_the_ring_has_forgotten_is_reported_without_its_feed) {
  SequenceLog log = begin();
  note(log, EventType::Trade, "BTC", 20);
  note(log, EventType::Ticker, "BTC", 10);
  auto found = killed();
  EXPECT_THAT(numbered(*found, 4),
              UnorderedElementsAre(std::tuple("", "", 10U), std::tuple("trade", "BTC", 6U),
                                   std::tuple("ticker", "BTC", 10U)));
}

TEST_F(SequenceLogTest, a_feed_without_space_is_reported_without_its_name) {
  SequenceLog log = begin();
  for (int i = 0; i < 10; ++i) note(log, EventType::Trade, std::to_string(i));
  note(log, EventType::Trade, std::string(100, 'x'));
  auto found = killed();
  const Reports reports = numbered(*found, 0);
  EXPECT_EQ(reports.size(), 7U);
  EXPECT_THAT(reports, testing::Contains(std::tuple("", "", 5U)));
  EXPECT_THAT(unnumbered(*found, {{{EventType::Trade, "0"}, 9}}), IsEmpty());  // the number is unknown
}

TEST_F(SequenceLogTest, reports_once_what_was_received_and_never_numbered) {
  SequenceLog log = begin({{{EventType::Trade, "BTC"}, 100}});
  note(log, EventType::Trade, "BTC", 3);
  note(log, EventType::Ticker, "BTC", 1);
  const SequenceLog::Expected now{
      {{EventType::Trade, "BTC"}, 105}, {{EventType::Ticker, "BTC"}, 1}, {{EventType::OrderBook, "BTC"}, 4}};
  auto found = killed();
  EXPECT_THAT(unnumbered(*found, now),
              UnorderedElementsAre(std::tuple("trade", "BTC", 2U), std::tuple("orderbook", "BTC", 4U)));
  found = killed();  // before anything else was done
  EXPECT_THAT(unnumbered(*found, now), IsEmpty());
  EXPECT_THAT(numbered(*found, 3), ElementsAre(std::tuple("ticker", "BTC", 1U)));
}

// Goal: a kill while losses are reported neither loses nor doubles any. Method: it is hit after each of them.
TEST_F(SequenceLogTest, reporting_goes_on_after_a_kill) {
  SequenceLog log = begin();
  for (const char* symbol : {"A", "B", "C"}) note(log, EventType::Trade, symbol, 2);
  auto found = killed();
  Reports reports;
  struct Kill {};
  for (int round = 0; round < 4; ++round) {
    const std::size_t before = reports.size();
    try {
      found->report_lost(0, [&](std::optional<EventType>, std::string_view symbol, std::uint64_t count) {
        if (reports.size() > before) throw Kill();
        reports.emplace_back("trade", symbol, count);
      });
    } catch (const Kill&) {
    }
    found = killed();
  }
  EXPECT_THAT(reports, ElementsAre(std::tuple("trade", "A", 2U), std::tuple("trade", "B", 2U),
                                   std::tuple("trade", "C", 2U)));
}

TEST_F(SequenceLogTest, nothing_is_loaded_without_a_previous_run_or_after_another_boot) {
  EXPECT_FALSE(SequenceLog::load(options));
  { const SequenceLog log = begin(); }
  options.boot_id = "boot-2";
  EXPECT_FALSE(SequenceLog::load(options));
  EXPECT_FALSE(was_set_aside());
}

TEST_F(SequenceLogTest, another_readers_file_is_set_aside) {
  { const SequenceLog log = begin(); }
  options.source = "other";
  EXPECT_FALSE(SequenceLog::load(options));
  EXPECT_TRUE(was_set_aside());
}

// A process that only calls note() is killed, nearly always inside of note().
TEST_F(SequenceLogTest, a_note_that_a_kill_cuts_in_half_is_finished) {
  for (int kill_count = 0; kill_count < 50; ++kill_count) {
    int begun[2];
    ASSERT_EQ(pipe(begun), 0);
    const pid_t child = fork();
    if (child == 0) {
      SequenceLog log = begin();
      note(log, EventType::Trade, "BTC", 100);
      (void)!write(begun[1], "!", 1);
      for (;;) note(log, EventType::Trade, "BTC");
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
    SequenceLog log = begin();
    note(log, EventType::Trade, "BTC", 3);
  }
  damage(options.path, 4096 + 2, 1);  // the first place of the ring
  EXPECT_FALSE(SequenceLog::load(options));
  EXPECT_TRUE(was_set_aside());
}

// Goal: whatever the bytes, the next run starts. Method: seeded random changes and cuts.
TEST_F(SequenceLogTest, any_bytes_never_stop_the_program) {
  {
    SequenceLog log = begin();
    note(log, EventType::Trade, "BTC", 30);
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
  EXPECT_FALSE(SequenceLog::create(options, kLogEpoch, kOrigin, {}));
}

}  // namespace
}  // namespace mdpipe::reader

// Goal: with a spool nothing is lost while the publisher is away, across restarts and crashes of the reader,
// and at every bound each loss is reported. Method: outboxes over a real SQLite file, one after the other,
// and the real SourceLedger as the publisher.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <deque>
#include <random>

#include "md-publisher/redis/cursor.hpp"
#include "md-publisher/source_ledger.hpp"
#include "tests/unit/ws-reader/outbox/outbox_support.hpp"
#include "tests/unit/ws-reader/outbox/spool_support.hpp"

namespace mdpipe::reader {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr Moment kSpoolStart{UnixNanos{1'700'000'000'000'000'000}, SteadyTime(std::chrono::hours(30))};

struct OutboxSpoolTest : testing::Test {
  TemporaryFolder folder;
  std::string path = folder.file("spool-gmo.db");
  metrics::MetricsCollector metrics{{"ws-reader", "gmo", "gmo", true, 100}};
  std::unique_ptr<Spool> spool;
  std::unique_ptr<Outbox> outbox;
  OutboxLimits limits;
  SpoolUse use;
  Moment now = kSpoolStart;
  std::uint64_t epoch = 100;

  void SetUp() override { start(); }

  // A new run of the reader; the previous one was killed.
  void start() {
    outbox.reset();
    spool.reset();
    spool = std::make_unique<Spool>(path, metrics, now);
    use.spool = spool.get();
    outbox = std::make_unique<Outbox>("gmo", ++epoch, limits, now, use);
  }
  void add(int events) {
    for (int i = 0; i < events; ++i) {
      outbox->append(trade(), now);
      outbox->flush(now);
    }
  }
  void pass(std::chrono::nanoseconds time) {
    now = now + time;
    outbox->tick(now);
  }
  void sqlite_update(const char* sql) const {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(database);
  }
  void confirm(std::uint64_t of_epoch, std::uint64_t seq) {
    wire::Position position;
    position.instance = 1;
    position.epoch = of_epoch;
    position.confirmed = position.accepted = seq;
    position.redis_up = true;
    outbox->on_position(position, now);
  }
};

TEST_F(OutboxSpoolTest, what_is_confirmed_soon_never_touches_the_disk) {
  add(3);
  send_all(*outbox, now);
  pass(milliseconds(900));
  confirm(epoch, 3);
  pass(seconds(10));
  EXPECT_EQ(spool->last_row(), 0);
}

TEST_F(OutboxSpoolTest, what_is_not_confirmed_for_a_second_survives_a_crash) {
  add(3);
  pass(seconds(1));
  EXPECT_EQ(spool->events(), 3U);
  add(2);  // lost with the crash: not on disk yet
  start();
  EXPECT_EQ(outbox->unconfirmed_events(), 3U);
  EXPECT_EQ(send_all(*outbox, now), numbers(1, 3));
}

TEST_F(OutboxSpoolTest, always_means_before_it_can_be_sent) {
  use.mode = SpoolMode::Always;
  start();
  add(3);
  EXPECT_EQ(spool->events(), 3U);
  start();
  EXPECT_EQ(send_all(*outbox, now), numbers(1, 3));
}

TEST_F(OutboxSpoolTest, spool_all_puts_everything_on_disk_for_the_next_start) {
  add(3);
  outbox->append(trade(), now);
  EXPECT_EQ(outbox->spool_all(now), 0U);
  start();
  EXPECT_EQ(outbox->unconfirmed_events(), 4U);
}

TEST_F(OutboxSpoolTest, a_previous_run_is_confirmed_before_anything_newer_is_sent) {
  add(3);
  pass(seconds(1));
  const std::uint64_t previous = epoch;
  start();
  add(2);
  const Batch* first = outbox->next();
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(outbox->header(*first, now.wall).epoch, previous);
  EXPECT_EQ(send_all(*outbox, now), numbers(1, 3));
  EXPECT_EQ(outbox->next(), nullptr);
  confirm(previous, 3);
  const Batch* own = outbox->next();
  ASSERT_NE(own, nullptr);
  EXPECT_EQ(outbox->header(*own, now.wall).epoch, epoch);
  EXPECT_EQ(send_all(*outbox, now), numbers(1, 2));
  confirm(epoch, 2);
  EXPECT_TRUE(outbox->everything_confirmed());
  EXPECT_EQ(spool->events(), 0U);
}

TEST_F(OutboxSpoolTest, what_the_publisher_took_from_a_dead_reader_is_not_sent_again) {
  add(3);
  pass(seconds(1));
  const std::uint64_t previous = epoch;
  start();
  confirm(previous, 5);  // it had got two more that never reached the disk
  EXPECT_EQ(outbox->next(), nullptr);
  EXPECT_TRUE(outbox->everything_confirmed());
}

TEST_F(OutboxSpoolTest, a_backlog_beyond_memory_goes_to_disk_and_comes_back_in_order) {
  limits = {4000, 1, 1500, 1U << 30U};
  start();
  add(200);
  EXPECT_LE(outbox->unconfirmed_bytes(), 4000U);
  EXPECT_EQ(outbox->unconfirmed_events(), 200U);
  EXPECT_TRUE(outbox->pop_losses().empty());
  std::vector<std::uint64_t> seen;
  while (!outbox->everything_confirmed()) {
    const auto sent = send_all(*outbox, now);
    ASSERT_FALSE(sent.empty()) << "nothing moves any more after " << seen.size();
    seen.insert(seen.end(), sent.begin(), sent.end());
    confirm(epoch, seen.back());
    if (seen.size() < 300) add(1);  // live events go on
  }
  EXPECT_EQ(seen, numbers(1, outbox->last_seq()));
  EXPECT_EQ(spool->events(), 0U);
}

TEST_F(OutboxSpoolTest, at_the_bound_of_the_disk_the_oldest_become_a_report) {
  limits = {4000, 1, 1500, 10'000};
  start();
  add(500);
  EXPECT_LE(spool->bytes(), 10'000U);
  const auto losses = outbox->pop_losses();
  const std::uint64_t lost = losses.at({EventType::Trade, "BTC_JPY"}).count;
  EXPECT_EQ(outbox->unconfirmed_events(), 500 - lost + 1);
  const std::uint64_t run = epoch;
  EXPECT_EQ(outbox->spool_all(now), 0U);
  start();  // the report is on disk too
  ASSERT_NE(outbox->next(), nullptr);
  const auto gap = events_of(outbox->next()->payload.view()).at(0);
  EXPECT_EQ(gap.at("state"), "gap");
  EXPECT_EQ(gap.at("lost"), std::to_string(lost));
  std::uint64_t last = 0;
  while (!outbox->everything_confirmed()) {
    const auto sent = send_all(*outbox, now);
    ASSERT_FALSE(sent.empty());
    EXPECT_EQ(sent.front(), last == 0 ? lost : last + 1);
    last = sent.back();
    confirm(run, last);
  }
  EXPECT_EQ(last, 500U);
}

TEST_F(OutboxSpoolTest, a_disk_that_refuses_leaves_memory_and_then_a_report) {
  outbox.reset();
  spool.reset();
  std::ofstream(folder.file("file")) << "no folder";
  spool = std::make_unique<Spool>(folder.file("file") + "/spool.db", metrics, now);
  use.spool = spool.get();
  limits = {4000, 1, 1500, 1U << 30U};
  outbox = std::make_unique<Outbox>("gmo", epoch, limits, now, use);
  add(100);
  EXPECT_LE(outbox->unconfirmed_bytes(), 4000U);
  const auto losses = outbox->pop_losses();
  const std::uint64_t lost = losses.at({EventType::Trade, "BTC_JPY"}).count;
  EXPECT_GT(lost, 0U);
  EXPECT_EQ(outbox->spool_all(now), outbox->unconfirmed_events()) << "and says what is lost at the end";
  const auto sent = send_all(*outbox, now);
  EXPECT_EQ(sent.front(), lost);
}

TEST_F(OutboxSpoolTest, a_damaged_row_is_counted_and_the_rest_goes_on) {
  add(3);
  pass(seconds(1));
  outbox.reset();
  spool.reset();
  sqlite_update("UPDATE batch SET payload = x'00' WHERE row = 2");
  start();
  EXPECT_EQ(outbox->pop_damaged_events(), 1U);
  EXPECT_EQ(send_all(*outbox, now), (std::vector<std::uint64_t>{1, 3}));
}

// The publisher as a ledger over a link that loses and a Redis that crashes; the reader is killed and
// restarted too.
class SpoolWorld {
 public:
  SpoolWorld(OutboxSpoolTest& test, std::uint64_t seed) : test_(test), random_(seed) {}

  void turn(unsigned faults, bool events) {
    test_.pass(milliseconds(50));
    if (events) produce();
    if (happens(faults / 8)) restart_reader();
    while (const Batch* batch = test_.outbox->next()) {
      if (!happens(faults))
        link_.emplace_back(test_.outbox->header(*batch, test_.now.wall), batch->payload.view());
      test_.outbox->mark_sent(test_.now);
    }
    if (happens(faults / 4)) restart_publisher();
    serve(faults);
    for (const auto& [source, progress] : ledger_->sources()) {
      const wire::Position position{instance_, progress.epoch, progress.confirmed, progress.accepted, true, 0,
                                    0,         false};
      if (!happens(faults * 2)) test_.outbox->on_position(position, test_.now);
    }
    const wire::Position announcement{instance_, 0, 0, 0, true, 0, 0, false};
    test_.outbox->on_position(announcement, test_.now);
  }

  // (epoch, seq) of every entry in Redis.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> entries;
  std::map<std::uint64_t, std::uint64_t> produced;  // last number by epoch

 private:
  bool happens(unsigned in_a_thousand) { return random_() % 1000 < in_a_thousand; }

  void produce() {
    for (auto n = random_() % 4; n > 0; --n) test_.outbox->append(trade(), test_.now);
    test_.outbox->flush(test_.now);
    produced[test_.epoch] = test_.outbox->last_seq();
  }
  void restart_reader() { test_.start(); }
  void restart_publisher() {
    link_.clear();
    filling_.clear();
    ledger_ = std::make_unique<publisher::SourceLedger>();
    ++instance_;
    ledger_->on_cursors(cursors_);
  }
  void serve(unsigned faults) {
    for (auto n = random_() % 8; n > 0 && !link_.empty(); --n) {
      take(link_.front().first, link_.front().second);
      link_.pop_front();
    }
    if (filling_.empty() || !happens(500)) return;
    entries.insert(entries.end(), filling_.begin(), filling_.end());
    const auto& present = ledger_->sources().at("gmo");
    cursors_["gmo"] = {present.epoch, present.accepted};
    filling_.clear();
    if (happens(faults)) {
      ledger_->on_cursors(cursors_);  // the answer was lost
    } else {
      ledger_->on_confirmed("gmo", {present.epoch, present.accepted});
    }
  }
  void take(const wire::BatchHeader& header, std::string_view payload) {
    const auto decision = ledger_->on_batch(header);
    EXPECT_EQ(decision.dropped + decision.lost_redis, 0U);
    if (decision.verdict != publisher::Verdict::Accept) return;
    const auto all = seqs(payload);
    for (std::size_t i = decision.skip; i < all.size(); ++i) filling_.emplace_back(header.epoch, all[i]);
  }

  OutboxSpoolTest& test_;
  std::mt19937_64 random_;
  std::deque<std::pair<wire::BatchHeader, std::string>> link_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> filling_;
  std::unique_ptr<publisher::SourceLedger> ledger_ = std::make_unique<publisher::SourceLedger>();
  publisher::Cursors cursors_;
  std::uint64_t instance_ = 1;
};

TEST_F(OutboxSpoolTest, exactly_once_in_order_through_crashes_of_reader_and_publisher) {
  constexpr std::uint64_t kSeeds = 25;
  use.mode = SpoolMode::Always;
  limits = {6000, 300, 3000, 1U << 30U};
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    outbox.reset();
    spool.reset();
    std::filesystem::remove(path);
    start();
    SpoolWorld world(*this, seed);
    for (int i = 0; i < 150; ++i) world.turn(60, true);
    int calm = 0;
    for (; calm < 600 && !outbox->everything_confirmed(); ++calm) world.turn(0, false);
    ASSERT_TRUE(outbox->everything_confirmed()) << "nothing moves any more";
    std::vector<std::pair<std::uint64_t, std::uint64_t>> expected;
    for (const auto& [run, last] : world.produced) {
      for (std::uint64_t seq = 1; seq <= last; ++seq) expected.emplace_back(run, seq);
    }
    ASSERT_EQ(world.entries, expected);
    ASSERT_EQ(spool->events(), 0U);
  }
}

}  // namespace
}  // namespace mdpipe::reader

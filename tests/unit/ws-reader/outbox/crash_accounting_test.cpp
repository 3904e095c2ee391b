// Runs of a reader over one folder: each has a collector on the persistent counters, a spool and an outbox,
// and is killed. What it had is checked in the counters of the next run.
#include "ws-reader/outbox/crash_accounting.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "tests/unit/ws-reader/outbox/outbox_support.hpp"
#include "tests/unit/ws-reader/outbox/spool_support.hpp"
#include "ws-reader/reader_metrics.hpp"

namespace mdpipe::reader {
namespace {

using metrics::Metric;
constexpr std::uint64_t kPublisher = 1000;  // an instance

struct ReaderRun {
  ReaderRun(const TemporaryFolder& folder, std::uint64_t number)
      : epoch(number),
        collector(options(folder)),
        spool(folder.file("spool.db"), collector, now),
        crash_accounting({folder.file(""), "gmo", "gmo", "boot"}, collector, &spool, epoch),
        outbox("gmo", epoch, {}, now, {&spool}, crash_accounting.runs()) {}

  static metrics::CollectorOptions options(const TemporaryFolder& folder) {
    metrics::CollectorOptions out;
    out.component = "ws-reader";
    out.source = "gmo";
    out.counter_file = folder.file("counters");
    return out;
  }
  void receive(int count, const Event& event = trade()) {
    for (int i = 0; i < count; ++i) {
      collector.add(
          collector.series(Metric::MessagesReceived, {"gmo", to_string(event.type()), event.symbol}));
      outbox.append(event, now);
    }
    outbox.flush(now);
  }
  void hear(std::uint64_t of, std::uint64_t confirmed, std::uint64_t accepted, bool closed = false) {
    now = now + std::chrono::milliseconds(200);
    wire::Position position{kPublisher, of, confirmed, accepted, true};
    position.closed = closed;
    outbox.on_position(position, now);
    if (const auto reached = outbox.pop_predecessor_end()) crash_accounting.on_predecessor_end(*reached);
  }
  // The publisher answers until the end of the previous run is known.
  void end_previous(std::uint64_t of, std::uint64_t reached) {
    for (int i = 0; i < 20 && outbox.heartbeat(now.wall).epoch == of; ++i)
      hear(of, reached, reached, outbox.heartbeat(now.wall).closes);
    EXPECT_NE(outbox.heartbeat(now.wall).epoch, of);
  }
  std::uint64_t lost(EventType channel = EventType::Trade) {
    return collector.total(collector.series(
        Metric::DroppedEvents,
        {"ws-reader", "gmo", to_string(channel), "BTC_JPY", to_string(metrics::DropReason::Crash)}));
  }

  Moment now{UnixNanos{1'700'000'000'000'000'000}, SteadyTime(std::chrono::hours(1))};
  std::uint64_t epoch;
  metrics::MetricsCollector collector;
  Spool spool;
  CrashAccounting crash_accounting;
  Outbox outbox;
};

struct CrashAccountingTest : testing::Test {
  TemporaryFolder folder;
  std::unique_ptr<ReaderRun> run = std::make_unique<ReaderRun>(folder, 100);

  void kill_and_start() {
    const std::uint64_t next = run->epoch + 100;
    run.reset();  // its files stay as a kill leaves them
    run = std::make_unique<ReaderRun>(folder, next);
  }
};

TEST_F(CrashAccountingTest, what_the_publisher_does_not_have_is_lost) {
  run->receive(5);
  run->receive(2, ticker());
  kill_and_start();
  EXPECT_EQ(run->lost(), 0U);  // not known yet
  run->end_previous(100, 3);
  EXPECT_EQ(run->lost(), 2U);
  EXPECT_EQ(run->lost(EventType::Ticker), 2U);
}

TEST_F(CrashAccountingTest, nothing_new_is_sent_before_the_previous_run_has_ended) {
  run->receive(5);
  kill_and_start();
  run->receive(1);
  EXPECT_EQ(run->outbox.next(), nullptr);
  EXPECT_EQ(run->outbox.heartbeat(run->now.wall).epoch, 100U);
  EXPECT_FALSE(run->outbox.heartbeat(run->now.wall).closes);
  run->end_previous(100, 5);
  ASSERT_NE(run->outbox.next(), nullptr);
  EXPECT_EQ(run->outbox.next()->epoch, 200U);
  EXPECT_EQ(run->lost(), 0U);
}

TEST_F(CrashAccountingTest, a_publisher_that_still_takes_or_writes_is_waited_for) {
  run->receive(50);
  kill_and_start();
  for (std::uint64_t i = 1; i < 10; ++i) {
    run->hear(100, i, i);  // what the dead reader left in the connection comes in
    EXPECT_FALSE(run->outbox.heartbeat(run->now.wall).closes);
  }
  for (int i = 0; i < 5; ++i) {
    run->hear(100, 9, 12);  // and is not written yet
    EXPECT_FALSE(run->outbox.heartbeat(run->now.wall).closes);
  }
  run->end_previous(100, 12);
  EXPECT_EQ(run->lost(), 38U);
}

TEST_F(CrashAccountingTest, a_publisher_that_never_gets_even_holds_nothing_up_for_ever) {
  run->receive(50);
  kill_and_start();
  for (int i = 0; i < 40; ++i) run->hear(100, 9, 12, run->outbox.heartbeat(run->now.wall).closes);
  EXPECT_EQ(run->outbox.heartbeat(run->now.wall).epoch, 200U);
  EXPECT_EQ(run->lost(), 41U);
}

TEST_F(CrashAccountingTest, what_is_in_the_spool_is_sent_first_and_not_lost) {
  run->receive(5);
  run->outbox.spool_all(run->now);
  run->receive(2);
  kill_and_start();
  ASSERT_NE(run->outbox.next(), nullptr);
  EXPECT_EQ(run->outbox.next()->epoch, 100U);
  send_all(run->outbox, run->now);
  run->hear(100, 5, 5);
  EXPECT_EQ(run->outbox.heartbeat(run->now.wall).epoch, 100U);
  run->end_previous(100, 5);
  EXPECT_EQ(run->lost(), 2U);
}

// Events that were on disk and are missing there are counted by the code that dropped them.
TEST_F(CrashAccountingTest, what_was_in_the_spool_is_no_loss_of_the_kill) {
  run->receive(5);
  run->outbox.spool_all(run->now);
  run->receive(2);
  kill_and_start();
  run->crash_accounting.on_predecessor_end(1);
  EXPECT_EQ(run->lost(), 2U);
}

TEST_F(CrashAccountingTest, a_run_that_ended_normally_leaves_nothing) {
  run->receive(5);
  run->outbox.spool_all(run->now);
  run->crash_accounting.mark_complete();
  kill_and_start();
  send_all(run->outbox, run->now);
  run->hear(100, 5, 5);
  EXPECT_EQ(run->outbox.heartbeat(run->now.wall).epoch, 200U);
  EXPECT_EQ(run->lost(), 0U);
}

// Goal: a second kill before the end of the first run is known. Nothing of the second was sent, so all of it
// is lost that is not in the spool, at once; the first stays open.
TEST_F(CrashAccountingTest, runs_that_sent_nothing_are_lost_at_once) {
  run->receive(5);
  kill_and_start();
  run->receive(3);
  run->outbox.spool_all(run->now);
  run->receive(4);
  kill_and_start();
  EXPECT_EQ(run->lost(), 4U);
  kill_and_start();
  run->end_previous(100, 2);
  EXPECT_EQ(run->lost(), 4U + 3U);
  ASSERT_NE(run->outbox.next(), nullptr);
  EXPECT_EQ(run->outbox.next()->epoch, 200U);  // the second's in the spool
}

TEST_F(CrashAccountingTest, what_was_received_and_not_numbered_is_lost) {
  run->receive(5);
  const auto received = run->collector.series(Metric::MessagesReceived, {"gmo", "orderbook", "BTC_JPY"});
  run->collector.add(received, 10);  // of which 3 are left out on purpose and 2 give way to newer ones
  run->collector.add(run->collector.series(Metric::DroppedEvents,
                                           {"ws-reader", "gmo", "orderbook", "BTC_JPY", "before_snapshot"}),
                     3);
  run->collector.add(run->collector.series(Metric::ConflatedEvents, {"gmo", "orderbook", "BTC_JPY"}), 2);
  for (int i = 0; i < 3; ++i) {
    kill_and_start();
    EXPECT_EQ(run->lost(EventType::OrderBook), 5U);  // once, whatever follows
  }
}

TEST_F(CrashAccountingTest, a_publisher_that_rejects_the_dead_run_ends_it) {
  run->receive(5);
  kill_and_start();
  wire::Position position{kPublisher, 100, 2, 2, true};
  position.refused = true;
  run->outbox.on_position(position, run->now);
  EXPECT_EQ(run->outbox.pop_predecessor_end(), std::optional<std::uint64_t>(2));
}

// What retention dropped was counted then, and is not reported as lost in a crash as well.
TEST_F(CrashAccountingTest, what_was_dropped_for_room_is_not_counted_again) {
  const SequenceLogOptions options{folder.file("in-flight-small"), "boot", "gmo", "gmo"};
  auto log = SequenceLog::create(options, 1, 1, {});
  ASSERT_TRUE(log);
  Outbox outbox("gmo", 1, {2000, 100, 500}, run->now, {}, {&log.value(), {}});
  for (int i = 0; i < 100; ++i) {
    outbox.append(trade(), run->now);
    outbox.flush(run->now);
  }
  std::uint64_t dropped = 0;
  for (const auto& [feed, loss] : outbox.pop_losses()) dropped += loss.count;
  ASSERT_GT(dropped, 0U);
  std::uint64_t reported = 0;
  log.value().report_lost(0, [&reported](auto, auto, std::uint64_t count) { reported += count; });
  EXPECT_EQ(dropped + reported, 100U);
}

}  // namespace
}  // namespace mdpipe::reader

// What the writer decides: one flush a turn, and which events wait while Redis is behind.
#include "ws-reader/event_writer.hpp"

#include <gtest/gtest.h>

#include "tests/unit/ws-reader/books/book_support.hpp"
#include "tests/unit/ws-reader/outbox/outbox_support.hpp"

namespace mdpipe::reader {
namespace {

using std::chrono::seconds;

struct EventWriterTest : testing::Test {
  metrics::MetricsCollector collector{{"ws-reader", "test", "gmo", true, 100}};
  ReaderMetrics reader_metrics{collector, "gmo", {}};
  Outbox outbox{"test", 1, {}, {}};
  Conflator conflator{{EventType::Ticker, EventType::OrderBook}, seconds(5)};
  int flushes_asked = 0;
  Moment now{UnixNanos{7}, SteadyTime(std::chrono::hours(1))};

  EventWriter make(bool books_have_deltas = false) {
    return EventWriter({outbox, reader_metrics, nullptr, &conflator, books_have_deltas},
                       [this] { ++flushes_asked; });
  }
  // One event waits long enough for the conflator to hold the events that it can hold.
  void fall_behind(EventWriter& writer) {
    writer.write(trade(), now);
    writer.on_flush();
    outbox.flush(now);
    now.steady += seconds(6);
  }
  void confirm_all() {
    outbox.flush(now);
    while (outbox.next() != nullptr) outbox.mark_sent(now);
    outbox.confirm_sent(now);
  }
  std::uint64_t conflated(EventType type, std::string_view symbol) {
    return collector.total(
        collector.series(metrics::Metric::ConflatedEvents, {"gmo", to_string(type), symbol}));
  }
  // The newest event of the outbox, every value as text.
  std::map<std::string, std::string> newest() {
    outbox.flush(now);
    std::map<std::string, std::string> last;
    while (const Batch* batch = outbox.next()) {
      last = events_of(batch->payload.view()).back();
      outbox.mark_sent(now);
    }
    return last;
  }
};

TEST_F(EventWriterTest, asks_for_one_flush_a_turn) {
  EventWriter writer = make();
  EXPECT_FALSE(writer.is_flush_due());
  writer.write(trade(), now);
  writer.write(trade(), now);
  EXPECT_TRUE(writer.is_flush_due());
  EXPECT_EQ(flushes_asked, 1);
  writer.on_flush();
  EXPECT_FALSE(writer.is_flush_due());
  writer.write(trade(), now);
  EXPECT_EQ(flushes_asked, 2);
  EXPECT_EQ(outbox.last_seq(), 3U);
}

TEST_F(EventWriterTest, holds_a_ticker_while_redis_is_behind_and_never_a_trade) {
  EventWriter writer = make();
  writer.write(ticker(), now);
  EXPECT_EQ(writer.held_events(), 0U) << "nothing waits yet";
  fall_behind(writer);
  writer.write(ticker(), now);
  writer.write(ticker(), now);
  EXPECT_EQ(writer.held_events(), 1U);
  EXPECT_EQ(conflated(EventType::Ticker, "BTC_JPY"), 1U) << "the first gave way to the second";
  EXPECT_EQ(outbox.last_seq(), 2U) << "held events have no number";
  EXPECT_FALSE(writer.is_flush_due());
  writer.write(trade(), now);
  EXPECT_EQ(outbox.last_seq(), 3U);
}

TEST_F(EventWriterTest, writes_held_events_once_redis_has_caught_up) {
  EventWriter writer = make();
  fall_behind(writer);
  writer.write(ticker(), now);
  writer.release_held(now);
  EXPECT_EQ(writer.held_events(), 1U) << "still behind";
  confirm_all();
  writer.release_held(now);
  EXPECT_EQ(writer.held_events(), 0U);
  EXPECT_EQ(outbox.last_seq(), 2U);
  EXPECT_TRUE(writer.is_flush_due());
}

TEST_F(EventWriterTest, writes_held_events_before_the_next_one) {
  EventWriter writer = make();
  fall_behind(writer);
  writer.write(ticker(), now);
  confirm_all();
  writer.write(trade(), now);
  EXPECT_EQ(outbox.last_seq(), 3U);
  EXPECT_EQ(newest().at("type"), "trade");
}

TEST_F(EventWriterTest, writes_all_held_events_on_request) {
  EventWriter writer = make();
  fall_behind(writer);
  writer.write(ticker(), now);
  writer.release_all_held(now);
  EXPECT_EQ(outbox.last_seq(), 2U);
}

TEST_F(EventWriterTest, a_delta_is_never_held_without_a_guard) {
  EventWriter writer = make(true);
  fall_behind(writer);
  writer.write(delta({{"10", "2"}}, {}).event(), now);
  EXPECT_EQ(outbox.last_seq(), 2U);
}

TEST_F(EventWriterTest, a_held_book_is_written_as_the_guards_newest_whole_one) {
  EventWriter writer = make(true);
  WritingSink sink;
  BookGuard guard(venues::BookRecipe::SnapshotChannel, sink);
  writer.hold_books_of(guard);
  const OwnedBook whole = snapshot({{"10", "1"}}, {{"12", "1"}});
  guard.on_book(whole.event(), now);
  fall_behind(writer);
  const OwnedBook change = delta({{"11", "7"}}, {});
  guard.on_book(change.event(), now);
  writer.write(change.event(), now);
  EXPECT_EQ(writer.held_events(), 1U);
  confirm_all();
  writer.release_held(now);
  outbox.flush(now);
  const std::string payload(outbox.next()->payload.view());
  EXPECT_NE(payload.find("snapshot"), std::string::npos);
  EXPECT_NE(payload.find("11"), std::string::npos);
}

TEST_F(EventWriterTest, a_held_book_that_broke_meanwhile_counts_as_conflated) {
  EventWriter writer = make(true);
  WritingSink sink;
  BookGuard guard(venues::BookRecipe::SnapshotChannel, sink);
  writer.hold_books_of(guard);
  const OwnedBook whole = snapshot({{"10", "1"}}, {{"12", "1"}});
  guard.on_book(whole.event(), now);
  fall_behind(writer);
  writer.write(whole.event(), now);
  guard.on_disconnected();
  writer.release_all_held(now);
  EXPECT_EQ(outbox.last_seq(), 1U);
  EXPECT_EQ(conflated(EventType::OrderBook, "X"), 1U);
}

}  // namespace
}  // namespace mdpipe::reader

// Every rule of docs/books.md, one test each, and that nothing is published, held or dropped twice.
#include "ws-reader/books/book_guard.hpp"

#include <gmock/gmock.h>

#include <random>

#include "tests/unit/ws-reader/books/book_support.hpp"

namespace mdpipe::reader {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using venues::BookRecipe;

struct GuardTest : testing::Test {
  WritingSink sink;
  SteadyTime now{std::chrono::hours(1)};
  std::uint64_t received = 0;

  void give(BookGuard& guard, const OwnedBook& book) {
    ++received;
    guard.on_book(book.event(), {{}, now});
  }
  void answer(BookGuard& guard, const OwnedBook& book) {
    ++received;
    guard.on_rest_snapshot(book.event(), {{}, now});
  }
  // What came in was published, is held, or was dropped.
  void expect_balance(const BookGuard& guard) {
    EXPECT_EQ(received, sink.published + sink.dropped + guard.held_events());
  }
};

// Every frame is the whole book.

struct FullFrames : GuardTest {
  BookGuard guard{BookRecipe::FullFrames, sink};
};

TEST_F(FullFrames, pass_as_they_are) {
  give(guard, snapshot({{"10", "1"}}, {{"11", "1"}}));
  give(guard, snapshot({}, {{"11", "1"}}));
  EXPECT_THAT(sink.take(), ElementsAre("publish snapshot", "publish snapshot"));
}

TEST_F(FullFrames, a_crossed_one_is_dropped_and_the_next_good_one_recovers) {
  give(guard, snapshot({{"10", "1"}}, {{"11", "1"}}));
  give(guard, snapshot({{"11.0", "1"}}, {{"11", "1"}}));
  give(guard, snapshot({{"12", "1"}}, {{"11", "1"}}));
  give(guard, snapshot({{"10", "1"}}, {{"11", "1"}}));
  EXPECT_THAT(sink.take(), ElementsAre("publish snapshot", "drop crossed_book 1", "gap: crossed",
                                       "drop crossed_book 1", "publish snapshot", "recovered"));
  expect_balance(guard);
}

TEST_F(FullFrames, symbols_do_not_touch_each_other) {
  OwnedBook crossed = snapshot({{"12", "1"}}, {{"11", "1"}});
  crossed.symbol = "Y";
  give(guard, crossed);
  give(guard, snapshot({{"10", "1"}}, {{"11", "1"}}));
  EXPECT_THAT(sink.take(), ElementsAre("drop crossed_book 1", "gap: crossed", "publish snapshot"));
}

// Snapshots come as well as deltas.

struct SnapshotChannel : GuardTest {
  BookGuard guard{BookRecipe::SnapshotChannel, sink};

  void start() {
    give(guard, snapshot({{"10", "1"}}, {{"12", "1"}}));
    sink.take();
  }
};

TEST_F(SnapshotChannel, deltas_before_the_first_snapshot_are_dropped) {
  give(guard, delta({{"9", "1"}}, {}, "11"));
  give(guard, snapshot({{"10", "1"}}, {{"12", "1"}}));
  give(guard, delta({{"11", "1"}}, {}, "11.5"));
  EXPECT_THAT(sink.take(), ElementsAre("drop before_snapshot 1", "publish snapshot", "publish delta"));
  expect_balance(guard);
}

TEST_F(SnapshotChannel, a_wrong_mid_price_stops_the_book_until_the_next_snapshot) {
  start();
  give(guard, delta({{"11", "1"}}, {}, "10"));
  give(guard, delta({{"9", "1"}}, {}, "11"));
  give(guard, snapshot({{"10", "1"}}, {{"12", "1"}}));
  give(guard, delta({{"9", "1"}}, {}, "11.0"));
  EXPECT_THAT(sink.take(), ElementsAre("drop wrong_mid_price 1", "gap: mid_price disagrees",
                                       "drop book_gap 1", "publish snapshot", "recovered", "publish delta"));
  expect_balance(guard);
}

TEST_F(SnapshotChannel, the_mid_price_is_not_asked_of_a_book_with_an_empty_side) {
  start();
  give(guard, delta({{"10", "0"}}, {}, "99"));
  EXPECT_THAT(sink.take(), ElementsAre("publish delta"));
}

TEST_F(SnapshotChannel, a_crossed_book_is_found_where_the_mid_price_agrees) {
  start();
  give(guard, delta({{"12", "1"}}, {}, "12"));
  give(guard, delta({{"12", "0"}}, {}));
  EXPECT_THAT(sink.take(), ElementsAre("drop crossed_book 1", "gap: crossed", "drop book_gap 1"));
  expect_balance(guard);
}

TEST_F(SnapshotChannel, a_crossed_snapshot_is_a_gap_even_as_the_first_one) {
  give(guard, snapshot({{"12", "1"}}, {{"11", "1"}}));
  give(guard, delta({{"12", "0"}}, {}));
  give(guard, snapshot({{"10", "1"}}, {{"11", "1"}}));
  EXPECT_THAT(sink.take(), ElementsAre("drop crossed_book 1", "gap: crossed", "drop book_gap 1",
                                       "publish snapshot", "recovered"));
}

TEST_F(SnapshotChannel, a_number_no_book_can_hold_is_a_gap) {
  start();
  give(guard, delta({{"1e-30", "1"}}, {}));
  EXPECT_THAT(sink.take(),
              ElementsAre("drop book_number 1", "gap: a number that a book cannot hold exactly"));
}

TEST_F(SnapshotChannel, is_subscribed_anew_where_deltas_come_for_20_s_without_a_snapshot) {
  for (const bool whole : {false, true}) {
    if (whole) start();
    now += seconds(100);  // silence alone is no reason
    if (!whole) give(guard, delta({}, {}));
    if (whole) {
      give(guard, delta({}, {}));
      EXPECT_THAT(sink.take(), ElementsAre("resubscribe", "publish delta"));
    }
    now += seconds(19);
    give(guard, delta({}, {}));
    sink.take();
    now += seconds(1);
    give(guard, delta({}, {}));
    EXPECT_EQ(sink.take().front(), "resubscribe");
    now += seconds(19);
    give(guard, delta({}, {}));
    EXPECT_NE(sink.take().front(), "resubscribe") << "once in 20 s";
  }
}

TEST_F(SnapshotChannel, a_lost_connection_loses_the_book_but_not_its_gap) {
  start();
  give(guard, delta({}, {}, "1"));
  sink.take();
  guard.on_disconnected();
  give(guard, delta({}, {}, "11"));
  give(guard, snapshot({{"10", "1"}}, {{"12", "1"}}));
  EXPECT_THAT(sink.take(), ElementsAre("drop before_snapshot 1", "publish snapshot", "recovered"));
  expect_balance(guard);
}

// Numbered deltas after a snapshot over HTTP.

struct RestSeeded : GuardTest {
  BookLimits limits{};
  BookGuard guard{BookRecipe::RestSeeded, sink};

  OwnedBook fetched(std::uint64_t last) { return snapshot({{"10", "1"}}, {{"12", "1"}}, last); }
  void start() {
    give(guard, numbered(100, 105));
    answer(guard, fetched(105));
    sink.take();
  }
};

TEST_F(RestSeeded, deltas_wait_for_the_snapshot_and_those_it_holds_are_dropped) {
  give(guard, numbered(100, 105));
  give(guard, numbered(106, 106));
  give(guard, numbered(107, 110, {{"11", "1"}}));
  EXPECT_THAT(sink.take(), ElementsAre("fetch"));
  expect_balance(guard);
  answer(guard, fetched(108));
  give(guard, numbered(111, 111, {{"11", "0"}}));
  EXPECT_THAT(sink.take(), ElementsAre("publish snapshot 108", "drop stale_delta 1", "drop stale_delta 1",
                                       "publish delta 110", "publish delta 111"));
  EXPECT_EQ(sink.kept.best_bid()->price, "10");
  expect_balance(guard);
}

TEST_F(RestSeeded, what_was_held_comes_out_as_it_came) {
  give(guard, numbered(1, 2, {{"10.50", "1.0"}, {"9", "0.00"}}, {{"12", "3"}}));
  answer(guard, fetched(1));
  const OrderBook shown = sink.kept.levels();
  EXPECT_EQ(shown.bids.size, 2U);
  EXPECT_EQ(shown.bids.data->price, "10.50");
  EXPECT_EQ(shown.bids.data->size, "1.0");
  EXPECT_EQ(shown.asks.data->size, "3");
}

TEST_F(RestSeeded, a_snapshot_that_ends_right_before_the_first_delta_fits) {
  give(guard, numbered(100, 105));
  answer(guard, fetched(99));
  EXPECT_THAT(sink.take(), ElementsAre("fetch", "publish snapshot 99", "publish delta 105"));
}

TEST_F(RestSeeded, a_snapshot_older_than_the_first_delta_is_fetched_again) {
  give(guard, numbered(100, 105));
  answer(guard, fetched(98));
  answer(guard, fetched(104));
  EXPECT_THAT(sink.take(), ElementsAre("fetch", "drop stale_snapshot 1", "fetch", "publish snapshot 104",
                                       "publish delta 105"));
  expect_balance(guard);
}

TEST_F(RestSeeded, a_repeated_delta_is_dropped) {
  start();
  give(guard, numbered(106, 107));
  give(guard, numbered(106, 107));
  give(guard, numbered(90, 95));
  EXPECT_THAT(sink.take(), ElementsAre("publish delta 107", "drop stale_delta 1", "drop stale_delta 1"));
}

TEST_F(RestSeeded, a_hole_is_a_gap_and_the_book_starts_over_from_the_delta_behind_it) {
  start();
  give(guard, numbered(107, 108));
  give(guard, numbered(109, 109));
  EXPECT_THAT(sink.take(), ElementsAre("gap: updates 106 to 106 are missing", "fetch"));
  answer(guard, fetched(107));
  EXPECT_THAT(sink.take(),
              ElementsAre("publish snapshot 107", "recovered", "publish delta 108", "publish delta 109"));
  expect_balance(guard);
}

TEST_F(RestSeeded, a_hole_among_the_held_deltas_is_found_too) {
  give(guard, numbered(100, 100));
  give(guard, numbered(103, 103));
  give(guard, numbered(104, 104));
  answer(guard, fetched(99));
  EXPECT_THAT(sink.take(), ElementsAre("fetch", "publish snapshot 99", "publish delta 100",
                                       "gap: updates 101 to 102 are missing", "fetch"));
  EXPECT_EQ(guard.held_events(), 2U);
  answer(guard, fetched(101));
  EXPECT_THAT(sink.take(), ElementsAre("drop stale_snapshot 1", "fetch"));
  answer(guard, fetched(103));
  EXPECT_THAT(sink.take(),
              ElementsAre("publish snapshot 103", "recovered", "drop stale_delta 1", "publish delta 104"));
  expect_balance(guard);
}

TEST_F(RestSeeded, a_crossed_book_starts_over_with_a_snapshot_that_is_newer) {
  start();
  give(guard, numbered(106, 106, {{"12", "1"}}));
  EXPECT_THAT(sink.take(), ElementsAre("drop crossed_book 1", "gap: crossed", "fetch"));
  answer(guard, fetched(105));
  EXPECT_THAT(sink.take(), ElementsAre("drop stale_snapshot 1", "fetch"));
  answer(guard, fetched(106));
  give(guard, numbered(107, 107));
  EXPECT_THAT(sink.take(), ElementsAre("publish snapshot 106", "recovered", "publish delta 107"));
  expect_balance(guard);
}

TEST_F(RestSeeded, a_crossed_snapshot_is_fetched_again) {
  give(guard, numbered(100, 105));
  answer(guard, snapshot({{"12", "1"}}, {{"12", "1"}}, 105));
  answer(guard, fetched(105));
  EXPECT_THAT(sink.take(), ElementsAre("fetch", "drop crossed_book 1", "gap: crossed", "fetch",
                                       "publish snapshot 105", "recovered", "drop stale_delta 1"));
  expect_balance(guard);
}

TEST_F(RestSeeded, held_deltas_are_bounded_in_number_and_in_bytes) {
  for (const bool by_bytes : {false, true}) {
    WritingSink own;
    BookLimits small;
    small.held_count_max = by_bytes ? 1000 : 3;
    small.held_bytes_max = by_bytes ? 1 : 1U << 20U;
    BookGuard bounded(BookRecipe::RestSeeded, own, small);
    for (std::uint64_t id = 1; id <= 5; ++id) bounded.on_book(numbered(id, id).event(), {{}, now});
    const std::uint64_t kept = by_bytes ? 1 : 2;
    EXPECT_EQ(bounded.held_events(), kept);
    EXPECT_EQ(own.dropped, 5 - kept);
    EXPECT_EQ(own.take().at(1), by_bytes ? "drop book_buffer 1" : "drop book_buffer 3");
    bounded.on_rest_snapshot(fetched(5 - kept - 1).event(), {{}, now});
    EXPECT_THAT(own.take(), ElementsAre("drop stale_snapshot 1", "fetch")) << "it started over";
    bounded.on_rest_snapshot(fetched(5 - kept).event(), {{}, now});
    EXPECT_EQ(own.take().front(), "publish snapshot " + std::to_string(5 - kept));
    EXPECT_EQ(bounded.held_events(), 0U);
  }
}

TEST_F(RestSeeded, a_refused_request_is_made_again_5_s_later) {
  give(guard, numbered(100, 100));
  guard.on_rest_failed("X", now);
  give(guard, numbered(101, 101));
  EXPECT_THAT(sink.take(), ElementsAre("fetch"));
  now += seconds(5);
  give(guard, numbered(102, 102));
  EXPECT_THAT(sink.take(), ElementsAre("fetch"));
}

TEST_F(RestSeeded, a_lost_connection_loses_everything) {
  start();
  give(guard, numbered(200, 200));
  sink.take();
  guard.on_disconnected();
  EXPECT_THAT(sink.take(), ElementsAre("drop before_snapshot 1"));
  answer(guard, fetched(200));
  EXPECT_THAT(sink.take(), ElementsAre("drop stale_snapshot 1")) << "of the connection that is gone";
  give(guard, numbered(300, 301));
  answer(guard, fetched(300));
  EXPECT_THAT(sink.take(), ElementsAre("fetch", "publish snapshot 300", "recovered", "publish delta 301"));
  expect_balance(guard);
}

TEST_F(RestSeeded, a_forgotten_symbol_begins_with_a_snapshot_and_without_its_gap) {
  start();
  give(guard, numbered(200, 200));
  EXPECT_THAT(sink.take(), ElementsAre("gap: updates 106 to 199 are missing", "fetch"));
  guard.forget("X");
  EXPECT_THAT(sink.take(), ElementsAre("drop before_snapshot 1"));
  guard.forget("never heard of");
  EXPECT_EQ(guard.whole_book("X"), nullptr);
  give(guard, numbered(300, 301));
  answer(guard, fetched(300));
  EXPECT_THAT(sink.take(), ElementsAre("fetch", "publish snapshot 300", "publish delta 301"));
  expect_balance(guard);
}

TEST_F(RestSeeded, partial_books_pass_where_there_are_no_deltas) {
  give(guard, fetched(7));
  EXPECT_THAT(sink.take(), ElementsAre("publish snapshot 7"));
  give(guard, numbered(100, 100));
  give(guard, fetched(8));
  EXPECT_THAT(sink.take(), ElementsAre("fetch", "drop stale_snapshot 1"));
}

TEST_F(RestSeeded, numbers_at_the_end_of_their_range_do_no_harm) {
  constexpr std::uint64_t kMax = ~std::uint64_t{0};
  give(guard, numbered(kMax, kMax));
  answer(guard, fetched(kMax - 1));
  give(guard, numbered(0, 0));
  give(guard, numbered(kMax, kMax));
  expect_balance(guard);
}

// Goal: whatever the exchange does, a consumer's book is contiguous, never crossed, and the counts add up.
// Method: a made-up exchange loses, repeats and spoils deltas; answers come late, old or never.
TEST_F(RestSeeded, a_consumers_book_is_right_whatever_happens) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    struct CheckingSink final : BookSink {
      void publish(const Event& event, Moment) override {
        const auto& book = std::get<OrderBook>(event.body);
        ++published;
        if (book.kind == BookKind::Delta) {
          EXPECT_TRUE(last && *book.first_book_seq <= *last + 1 && *book.book_seq > *last);
        }
        EXPECT_TRUE(kept.apply(book));
        EXPECT_FALSE(kept.is_crossed());
        last = book.book_seq;
      }
      void drop(std::string_view, DropReason, std::uint64_t count) override { dropped += count; }
      void gap(std::string_view, std::string_view, std::optional<std::uint64_t>, Moment) override {
        EXPECT_FALSE(is_gap);
        is_gap = true;
        last.reset();
      }
      void recovered(std::string_view, Moment) override {
        EXPECT_TRUE(is_gap);
        is_gap = false;
      }
      void request_snapshot(std::string_view) override { asked = true; }
      void resubscribe(std::string_view) override {}
      std::optional<std::uint64_t> last;
      std::uint64_t published = 0, dropped = 0;
      bool is_gap = false, asked = false;
      KeptBook kept;
    } own;
    std::mt19937 random(seed);
    const auto one_in = [&random](int n) { return std::uniform_int_distribution<int>(1, n)(random) == 1; };
    BookLimits small;
    small.held_count_max = 8;
    BookGuard under_test(BookRecipe::RestSeeded, own, small);
    std::uint64_t id = 1000;
    std::uint64_t given = 0;
    for (int step = 0; step < 400; ++step) {
      const std::uint64_t first = id + 1;
      id += 1 + random() % 3;
      OwnedBook change = numbered(first, id, {{"10", std::to_string(1 + random() % 5)}});
      if (one_in(40)) change.bids.emplace_back("12", "1");
      for (int copies = one_in(30) ? 0 : one_in(30) ? 2 : 1; copies > 0; --copies, ++given)
        under_test.on_book(change.event(), {{}, now});
      if (own.asked && one_in(5)) {
        own.asked = false;
        under_test.on_rest_snapshot(fetched(id - random() % 6).event(), {{}, now});
        ++given;
      }
      if (one_in(150)) {
        under_test.on_disconnected();
        own.last.reset();
        own.asked = false;
      }
      ASSERT_EQ(given, own.published + own.dropped + under_test.held_events()) << "seed " << seed;
    }
    ASSERT_GT(own.published, 100U) << "seed " << seed;
    if (testing::Test::HasFailure()) FAIL() << "seed " << seed;
  }
}

}  // namespace
}  // namespace mdpipe::reader

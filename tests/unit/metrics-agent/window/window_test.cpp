#include "metrics-agent/window/window.hpp"

#include <gtest/gtest.h>

#include "tests/unit/metrics-agent/fake_component.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;

TEST(Window, each_count_is_in_one_window) {
  SnapshotStore store(StoreLimits{});
  WindowBook book(at(0).steady, {});
  FakeComponent reader("ws-reader", "gmo");
  store.apply(reader.counter(Metric::MessagesReceived, kTicker, 10).message(), at(1));
  const Window first = book.close(store, at(10).steady);
  EXPECT_EQ(first.span, std::chrono::seconds(10));
  EXPECT_EQ(first.counts, std::vector<std::uint64_t>{10});
  EXPECT_EQ(book.close(store, at(20).steady).counts, std::vector<std::uint64_t>{0});
  store.apply(reader.counter(Metric::MessagesReceived, kTicker, 12).message(), at(21));
  EXPECT_EQ(book.close(store, at(30).steady).counts, std::vector<std::uint64_t>{2});
}

TEST(Window, the_end_of_an_epoch_and_the_next_one_meet_in_one_window) {
  SnapshotStore store(StoreLimits{});
  WindowBook book(at(0).steady, {});
  FakeComponent reader("ws-reader", "gmo");
  store.apply(reader.counter(Metric::MessagesReceived, kTicker, 10).message(), at(1));
  store.apply(reader.restart(200).counter(Metric::MessagesReceived, kTicker, 4).message(), at(2));
  EXPECT_EQ(book.close(store, at(10).steady).counts, std::vector<std::uint64_t>{14});
}

TEST(Window, a_histogram_has_only_the_windows_observations) {
  SnapshotStore store(StoreLimits{});
  WindowBook book(at(0).steady, {});
  FakeComponent publisher("md-publisher", "main");
  const std::vector<std::string> labels = {"gmo", "md:ticker"};
  store.apply(publisher.histogram(Metric::PublishLatency, labels, 3, 5'000'000).message(), at(1));
  book.close(store, at(10).steady);
  EXPECT_TRUE(book.close(store, at(20).steady).histograms.empty());
  store.apply(publisher.histogram(Metric::PublishLatency, labels, 5, 5'000'000).message(), at(21));
  const Window window = book.close(store, at(30).steady);
  ASSERT_EQ(window.histograms.size(), 1U);
  EXPECT_EQ(window.histograms[0].second.count, 2U);
}

class WindowRestartTest : public testing::Test {
 protected:
  // An agent that saw 10 of `reader_` and ended a window at 10 s.
  WindowRestartTest() {
    SnapshotStore store(StoreLimits{});
    WindowBook book(at(0).steady, {});
    store.apply(reader_.counter(Metric::MessagesReceived, kTicker, 10).message(), at(1));
    book.close(store, at(10).steady);
    checkpoint_ = book.checkpoint(store);
    for (metrics::Delta& covered : checkpoint_.covered) covered.series.take_over();  // the store goes
  }

  FakeComponent reader_{"ws-reader", "gmo"};
  WindowCheckpoint checkpoint_;
  SnapshotStore store_{StoreLimits{}};
};

TEST_F(WindowRestartTest, the_next_window_starts_where_the_last_one_ended) {
  WindowBook book(at(15).steady, checkpoint_);
  store_.apply(reader_.counter(Metric::MessagesReceived, kTicker, 16).message(), at(16));
  const Window window = book.close(store_, at(25).steady);
  EXPECT_EQ(window.counts, std::vector<std::uint64_t>{6});
  EXPECT_EQ(window.span, std::chrono::seconds(15));
}

TEST_F(WindowRestartTest, another_epoch_counts_from_its_start) {
  WindowBook book(at(15).steady, checkpoint_);
  store_.apply(reader_.restart(200).counter(Metric::MessagesReceived, kTicker, 16).message(), at(16));
  EXPECT_EQ(book.close(store_, at(25).steady).counts, std::vector<std::uint64_t>{16});
}

TEST_F(WindowRestartTest, an_epoch_that_ends_soon_after_goes_on_from_the_checkpoint_too) {
  WindowBook book(at(15).steady, checkpoint_);
  store_.apply(reader_.counter(Metric::MessagesReceived, kTicker, 13).message(), at(16));
  store_.apply(reader_.restart(200).counter(Metric::MessagesReceived, kTicker, 5).message(), at(17));
  EXPECT_EQ(book.close(store_, at(25).steady).counts, std::vector<std::uint64_t>{8});
}

// Goal: a component that is silent across two restarts of the agent is not counted twice when it comes back.
TEST_F(WindowRestartTest, a_source_not_heard_of_keeps_its_entry) {
  WindowBook between(at(15).steady, checkpoint_);
  between.close(store_, at(20).steady);
  WindowBook book(at(30).steady, between.checkpoint(store_));
  store_.apply(reader_.counter(Metric::MessagesReceived, kTicker, 11).message(), at(31));
  EXPECT_EQ(book.close(store_, at(40).steady).counts, std::vector<std::uint64_t>{1});
}

}  // namespace
}  // namespace mdpipe::agent

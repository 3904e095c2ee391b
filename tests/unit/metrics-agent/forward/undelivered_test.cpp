#include "metrics-agent/forward/undelivered.hpp"

#include <gtest/gtest.h>

#include "metrics-agent/window/window_state.hpp"
#include "tests/unit/metrics-agent/fake_component.hpp"
#include "tests/unit/metrics-agent/window/checkpoint_support.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;

const std::vector<std::string> kTickerLatency = {"gmo", "md:ticker"};

// Two readers that count the same series, and a histogram; a window ends with each call.
class UndeliveredTest : public testing::Test {
 protected:
  Window window(double seconds, std::uint64_t first, std::uint64_t second, std::uint64_t latencies) {
    store_.apply(a_.counter(Metric::MessagesReceived, kTicker, first).message(), at(seconds));
    store_.apply(b_.counter(Metric::MessagesReceived, kTicker, second)
                     .histogram(Metric::PublishLatency, kTickerLatency, latencies, 5'000'000)
                     .message(),
                 at(seconds));
    return book_.close(store_, at(seconds).steady);
  }
  static std::uint64_t count_of(const Undelivered& counts, Metric metric) {
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (counts.key(i).info->metric != metric) continue;
      count += counts[i].histogram ? counts[i].histogram->count : counts[i].count;
    }
    return count;
  }

  SnapshotStore store_{StoreLimits{}};
  WindowBook book_{at(0).steady, {}};
  FakeComponent a_{"ws-reader", "a"}, b_{"ws-reader", "b"};
};

TEST_F(UndeliveredTest, windows_add_up_until_they_are_delivered) {
  Undelivered counts;
  counts.add(store_, window(1, 10, 5, 3));
  counts.add(store_, window(2, 11, 7, 4));
  EXPECT_EQ(count_of(counts, Metric::MessagesReceived), 18U);  // both sources in one series
  EXPECT_EQ(count_of(counts, Metric::PublishLatency), 4U);
  for (std::size_t i = 0; i < counts.size(); ++i) counts.exchange(i);
  EXPECT_EQ(count_of(counts, Metric::MessagesReceived), 0U);
  counts.add(store_, window(3, 12, 7, 4));
  EXPECT_EQ(count_of(counts, Metric::MessagesReceived), 1U);
  EXPECT_EQ(count_of(counts, Metric::PublishLatency), 0U);
}

TEST_F(UndeliveredTest, only_what_is_delivered_leaves) {
  Undelivered counts;
  counts.add(store_, window(1, 10, 5, 3));
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts.key(i).info->metric == Metric::PublishLatency) counts.exchange(i);
  }
  EXPECT_EQ(count_of(counts, Metric::MessagesReceived), 15U);
  EXPECT_EQ(count_of(counts, Metric::PublishLatency), 0U);
}

TEST_F(UndeliveredTest, what_was_not_taken_is_added_back) {
  Undelivered counts, on_its_way;
  on_its_way.add(store_, window(1, 10, 5, 3));
  counts.add(store_, window(2, 11, 5, 4));
  for (std::size_t i = 0; i < on_its_way.size(); ++i)
    counts.add(counts.find_or_add(on_its_way.key(i).info->metric, on_its_way.key(i).labels), on_its_way[i]);
  EXPECT_EQ(count_of(counts, Metric::MessagesReceived), 16U);
  EXPECT_EQ(count_of(counts, Metric::PublishLatency), 4U);
}

TEST_F(UndeliveredTest, parts_leave_and_come_back_and_the_rest_is_still_a_state_that_adds_up) {
  Undelivered counts;
  counts.add(store_, window(1, 10, 5, 3));
  const auto bucket = static_cast<std::uint32_t>(metrics::quantile_bucket(5'000'000));
  Undelivered::Part counter{0, 0, 4}, latency{0, bucket, 2};
  for (std::uint32_t i = 0; i < counts.size(); ++i) (counts[i].histogram ? latency : counter).index = i;
  counts.deliver(counter);
  counts.deliver(latency);
  EXPECT_EQ(count_of(counts, Metric::MessagesReceived), 11U);
  Undelivered restored;
  restored.restore(counts.state("statsd", at(1).wall));
  EXPECT_EQ(count_of(restored, Metric::PublishLatency), 1U);
  counts.deliver({latency.index, bucket, 1});
  EXPECT_TRUE(counts[latency.index].is_empty());
  counts.put_back(counter);
  counts.put_back(latency);
  EXPECT_EQ(count_of(counts, Metric::MessagesReceived), 15U);
  EXPECT_EQ(count_of(counts, Metric::PublishLatency), 2U);
}

TEST_F(UndeliveredTest, survives_a_restart_through_the_state_file) {
  Undelivered counts;
  counts.add(store_, window(1, 10, 5, 3));
  WindowCheckpoint checkpoint = book_.checkpoint(store_);
  checkpoint.undelivered.push_back(counts.state("statsd", at(1).wall));

  const auto read = decode_checkpoint(encode_checkpoint(checkpoint, "boot"), {"boot", at(2).wall});
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read.value().covered.size(), 2U);
  ASSERT_EQ(read.value().undelivered.size(), 1U);
  EXPECT_EQ(read.value().undelivered[0].source, "statsd");

  Undelivered after;  // the series are not known to the store yet
  after.restore(read.value().undelivered[0]);
  EXPECT_EQ(count_of(after, Metric::MessagesReceived), 15U);
  EXPECT_EQ(count_of(after, Metric::PublishLatency), 3U);
  after.add(store_, window(3, 12, 5, 3));
  EXPECT_EQ(count_of(after, Metric::MessagesReceived), 17U);
}

TEST_F(UndeliveredTest, a_state_of_another_release_is_taken_as_far_as_it_is_known) {
  metrics::Delta state;
  state.component = kDestinationComponent;
  state.series.push_back({0, "collector_of_tomorrow_total", {"gmo"}});
  state.series.push_back({1, "collector_reconnects_total", {"gmo"}});
  state.counters = {{0, 5}, {1, 6}, {2, 7}};
  Undelivered counts;
  counts.restore(state);
  ASSERT_EQ(counts.size(), 1U);
  EXPECT_EQ(counts[0].count, 6U);
}

}  // namespace
}  // namespace mdpipe::agent

// MetricsCollector on a counter file: runs that end by a kill (simulated by copying the file), and counts
// that the next run decides.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <numeric>
#include <random>

#include "libshared/metrics/collector.hpp"

namespace mdpipe::metrics {
namespace {

namespace fs = std::filesystem;

class KeptCountsTest : public testing::Test {
 protected:
  KeptCountsTest() {
    char name[] = "/tmp/mdpipe-kept-XXXXXX";
    folder_ = mkdtemp(name);
    start();
  }
  ~KeptCountsTest() override { fs::remove_all(folder_); }

  void start() {
    CollectorOptions options;
    options.component = "md-publisher";
    options.source = "md-publisher";
    options.counter_file = folder_ + "/counters";
    options.pending_max = pending_max_;
    collector_ = std::make_unique<MetricsCollector>(options);
  }
  void kill_and_start() {
    fs::copy_file(folder_ + "/counters", folder_ + "/killed");
    collector_.reset();
    fs::rename(folder_ + "/killed", folder_ + "/counters");
    start();
  }
  Series published(const std::string& symbol) {
    return collector_->series(Metric::MessagesPublished, {"gmo", "md:trade", symbol});
  }
  std::uint64_t total(const std::string& symbol) { return collector_->total(published(symbol)); }
  PendingCounts& pending() { return collector_->pending(); }
  Delta message(bool full = true) {
    Delta delta;
    collector_->snapshot(full, delta);
    return delta;
  }

  std::string folder_;
  std::size_t pending_max_ = 16;
  std::unique_ptr<MetricsCollector> collector_;
};

TEST_F(KeptCountsTest, counters_go_on_after_a_kill_and_gauges_do_not) {
  collector_->add(published("BTC"), 5);
  collector_->set(collector_->series(Metric::RedisUp, {"md-publisher"}), 1);
  const Delta before = message();
  kill_and_start();
  const Delta after = message();
  EXPECT_EQ(after.origin, before.origin);
  EXPECT_GT(after.epoch, before.epoch);
  EXPECT_EQ(after.n, 1U);
  EXPECT_TRUE(std::none_of(after.series.begin(), after.series.end(),
                           [](const auto& series) { return series.name == "collector_redis_up"; }));
  collector_->add(published("BTC"), 2);
  EXPECT_EQ(total("BTC"), 7U);
}

TEST_F(KeptCountsTest, histograms_go_on_after_a_kill) {
  const auto latency = [this] { return collector_->series(Metric::PublishLatency, {"gmo", "md:trade"}); };
  collector_->observe(latency(), std::chrono::milliseconds(3));
  collector_->observe(latency(), std::chrono::seconds(20));
  kill_and_start();
  EXPECT_EQ(message().histograms.at(0).second.count, 2U);  // even if this run has not used it yet
  collector_->observe(latency(), std::chrono::milliseconds(4));
  const HistogramTotals totals = message().histograms.at(0).second;
  EXPECT_EQ(totals.count, 3U);
  EXPECT_DOUBLE_EQ(totals.sum_ns, 20'007e6);
  EXPECT_EQ(std::accumulate(totals.bounds.begin(), totals.bounds.end(), std::uint64_t{0}), 2U);
  EXPECT_EQ(totals.buckets.size(), 3U);
}

TEST_F(KeptCountsTest, a_counter_that_nobody_uses_any_more_is_still_reported) {
  collector_->add(published("GONE"), 5);
  kill_and_start();
  const Delta delta = message();
  const auto series = std::find_if(delta.series.begin(), delta.series.end(),
                                   [](const auto& one) { return one.labels.back() == "GONE"; });
  ASSERT_NE(series, delta.series.end());
  EXPECT_NE(
      std::find(delta.counters.begin(), delta.counters.end(), std::make_pair(series->id, std::uint64_t{5})),
      delta.counters.end());
}

TEST_F(KeptCountsTest, without_a_file_counting_goes_on_in_memory) {
  CollectorOptions options;
  options.component = "ws-reader";
  options.counter_file = "/proc/no-such-folder/counters";
  MetricsCollector collector(options);
  const Series series = collector.series(Metric::Reconnects, {"gmo"});
  collector.add(series, 3);
  EXPECT_EQ(collector.total(series), 3U);
}

TEST_F(KeptCountsTest, a_second_collector_of_the_name_counts_for_itself) {
  const Series own = published("BTC");
  collector_->add(own, 5);
  CollectorOptions options = collector_->options();
  MetricsCollector other(options);
  const Series its = other.series(Metric::MessagesPublished, {"gmo", "md:trade", "BTC"});
  other.add(its, 100);
  EXPECT_EQ(collector_->total(own), 5U);
}

TEST_F(KeptCountsTest, reset_begins_a_new_origin_in_the_file_too) {
  collector_->add(published("BTC"), 5);
  const auto before = message().origin;
  collector_->reset();
  collector_->add(published("BTC"), 1);
  kill_and_start();
  EXPECT_GT(message().origin, before);
  EXPECT_EQ(total("BTC"), 1U);
}

TEST_F(KeptCountsTest, pending_counts_take_effect_when_they_are_committed) {
  collector_->add(published("BTC"), 1);
  pending().begin();
  pending().add(published("BTC"), 2);
  pending().add(published("BTC"), 3);
  pending().add(published("ETH"), 4);
  pending().seal({"gmo", 7, 9});
  EXPECT_EQ(total("BTC"), 1U);
  pending().take_back(published("BTC"), 1);
  pending().commit();
  EXPECT_EQ(total("BTC"), 5U);
  EXPECT_EQ(total("ETH"), 4U);
  EXPECT_FALSE(pending().is_open());
  pending().commit();  // of nothing
  EXPECT_EQ(total("BTC"), 5U);
}

TEST_F(KeptCountsTest, what_was_sent_before_a_kill_is_decided_by_the_next_life) {
  for (const bool written : {true, false}) {
    const std::uint64_t before = total("BTC");
    pending().begin();
    pending().add(published("BTC"), 3);
    pending().seal({"gmo", 7, 9});
    kill_and_start();
    ASSERT_TRUE(pending().is_open());
    EXPECT_EQ(pending().mark().source, "gmo");
    EXPECT_EQ(pending().mark().epoch, 7U);
    EXPECT_EQ(pending().mark().seq, 9U);
    EXPECT_EQ(total("BTC"), before);
    written ? pending().commit() : pending().discard();
    EXPECT_EQ(total("BTC"), before + (written ? 3 : 0));
    EXPECT_FALSE(pending().is_open());
  }
}

TEST_F(KeptCountsTest, what_was_not_sealed_before_a_kill_is_forgotten) {
  pending().begin();
  pending().add(published("BTC"), 3);
  kill_and_start();
  EXPECT_FALSE(pending().is_open());
  EXPECT_EQ(total("BTC"), 0U);
}

TEST_F(KeptCountsTest, without_room_in_the_file_pending_counts_still_work_in_this_life) {
  collector_.reset();
  pending_max_ = 1;
  start();
  pending().begin();
  pending().add(published("BTC"), 3);
  pending().add(published("ETH"), 4);
  pending().seal({"gmo", 7, 9});
  pending().take_back(published("ETH"), 1);
  pending().commit();
  EXPECT_EQ(total("BTC"), 3U);
  EXPECT_EQ(total("ETH"), 3U);
}

// Goal: over any sequence of counts, commits, discards and kills the totals are a model's. Kills hit between
// a commit's decision and its end too, as applying twice changes nothing.
TEST_F(KeptCountsTest, totals_are_exact_over_any_sequence_of_kills) {
  std::mt19937_64 random(3);
  std::array<std::uint64_t, 4> model{}, open{};
  bool sealed = false;
  const auto name = [](std::size_t i) { return std::string(1, static_cast<char>('A' + i)); };
  for (int step = 0; step < 1500; ++step) {
    const auto what = random() % 8;
    if (what < 3 && !sealed) {
      pending().begin();
      open = {};
      for (std::uint64_t i = random() % 20; i > 0; --i) {
        const std::size_t symbol = random() % open.size();
        pending().add(published(name(symbol)), 1);
        ++open[symbol];
      }
      pending().seal({"gmo", 1, static_cast<std::uint64_t>(step)});
      sealed = true;
    } else if (what < 5 && sealed) {
      pending().commit();
      for (std::size_t i = 0; i < model.size(); ++i) model[i] += open[i];
      sealed = false;
    } else if (what == 5 && sealed) {
      pending().discard();
      sealed = false;
    } else if (what == 6) {
      kill_and_start();
      ASSERT_EQ(pending().is_open(), sealed) << step;
    }
    for (std::size_t i = 0; i < model.size(); ++i) ASSERT_EQ(total(name(i)), model[i]) << step;
  }
}

// Goal: a kill in the middle of a commit, after its decision, loses and doubles nothing. Method: the state
// word of the noted set is written into the file as the kill would leave it, with one of two totals applied.
TEST_F(KeptCountsTest, a_commit_that_was_killed_halfway_is_finished) {
  CounterFileOptions options{folder_ + "/half", "md-publisher", "x", 8, 4, "boot"};
  {
    auto file = CounterFile::open(options, 1);
    std::uint64_t* first = file.value().add("collector_reconnects_total", {"a"});
    std::uint64_t* second = file.value().add("collector_reconnects_total", {"b"});
    PendingRegion region = file.value().pending_region();
    region.entries[0] = {0, 5};
    region.entries[1] = {1, 6};
    region.head->count = 2;
    region.head->state = 2;
    *first = 5;
    ASSERT_EQ(*second, 0U);
  }
  auto file = CounterFile::open(options, 2);
  PendingCounts pending(file.value().pending_region());
  EXPECT_EQ(*file.value().recovered()[0].total, 5U);
  EXPECT_EQ(*file.value().recovered()[1].total, 6U);
  EXPECT_FALSE(pending.is_open());
}

}  // namespace
}  // namespace mdpipe::metrics

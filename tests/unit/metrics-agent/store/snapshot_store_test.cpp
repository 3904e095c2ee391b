#include "metrics-agent/store/snapshot_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metrics-agent/store/merged.hpp"
#include "tests/unit/metrics-agent/fake_component.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;
using testing::HasSubstr;
using Verdict = Applied::Verdict;

class StoreTest : public testing::Test {
 protected:
  // What a destination sees; nothing if the series is not known.
  std::optional<MergedValue> value(Metric metric, const std::vector<std::string>& labels) const {
    const auto series = store_.series().find(metric, labels);
    return series ? std::optional(merge(store_, *series)) : std::nullopt;
  }
  std::uint64_t received() const { return value(Metric::MessagesReceived, kTicker)->counter; }

  FakeComponent reader_{"ws-reader", "gmo"};
  SnapshotStore store_{StoreLimits{}};
};

TEST_F(StoreTest, lost_messages_heal_and_are_counted) {
  store_.apply(reader_.counter(Metric::MessagesReceived, kTicker, 1).message(), at(0));
  reader_.lose();
  reader_.lose();
  const auto applied =
      store_.apply(reader_.counter(Metric::MessagesReceived, kTicker, 30).message(false), at(3));
  EXPECT_EQ(applied.messages_lost, 2U);
  EXPECT_EQ(received(), 30U);
}

TEST_F(StoreTest, messages_before_the_first_one_are_not_lost) {
  for (int i = 0; i < 9; ++i) reader_.lose();
  EXPECT_EQ(store_.apply(reader_.message(), at(0)).messages_lost, 0U);
}

TEST_F(StoreTest, a_series_known_in_advance_is_zero) {
  store_.apply(reader_.counter(Metric::Errors, {"ws-reader", "parse_error"}, 0).message(), at(0));
  EXPECT_EQ(value(Metric::Errors, {"ws-reader", "parse_error"})->counter, 0U);
}

TEST_F(StoreTest, counters_of_a_restarted_component_go_on) {
  store_.apply(reader_.counter(Metric::MessagesReceived, kTicker, 100).message(), at(0));
  const auto applied =
      store_.apply(reader_.restart(200).counter(Metric::MessagesReceived, kTicker, 7).message(), at(1));
  EXPECT_TRUE(applied.has_restarted);
  EXPECT_EQ(received(), 107U);
  store_.apply(reader_.counter(Metric::MessagesReceived, kTicker, 9).message(false), at(2));
  EXPECT_EQ(received(), 109U);
}

// Goal: a component that kept its counters over a crash reports the sum of all its runs, and the sum is
// counted once.
TEST_F(StoreTest, counters_kept_over_a_restart_are_not_added_again) {
  store_.apply(reader_.counter(Metric::MessagesReceived, kTicker, 100).message(), at(0));
  reader_.restart(200, 100).counter(Metric::MessagesReceived, kTicker, 130);  // 30 in its last second
  EXPECT_TRUE(store_.apply(reader_.message(), at(1)).has_restarted);
  EXPECT_EQ(received(), 130U);
}

TEST_F(StoreTest, histograms_are_kept_with_the_counters_and_gauges_begin_anew) {
  const std::vector<std::string> labels = {"gmo", "md:ticker"};
  reader_.histogram(Metric::PublishLatency, labels, 3, 1'000'000).gauge(Metric::ConnectionUp, {"gmo"}, 1);
  store_.apply(reader_.message(), at(0));
  reader_.restart(200, 100).histogram(Metric::PublishLatency, labels, 5, 1'000'000);  // 2 in its last second
  store_.apply(reader_.message(), at(1));
  EXPECT_EQ(value(Metric::PublishLatency, labels)->count, 5U);
  EXPECT_DOUBLE_EQ(value(Metric::PublishLatency, labels)->sum_ns, 5e6);
  EXPECT_FALSE(value(Metric::ConnectionUp, {"gmo"})->number);
}

TEST_F(StoreTest, histograms_found_again_after_a_life_without_them_go_on) {
  const std::vector<std::string> labels = {"gmo", "md:ticker"};
  const auto tell = [&](std::uint64_t epoch, std::uint64_t origin, std::uint64_t count) {
    reader_.restart(epoch, origin).histogram(Metric::PublishLatency, labels, count, 1'000'000);
    store_.apply(reader_.message(), at(static_cast<double>(epoch)));
    return value(Metric::PublishLatency, labels)->count;
  };
  EXPECT_EQ(tell(100, 100, 3), 3U);
  EXPECT_EQ(tell(200, 200, 7), 10U);
  EXPECT_EQ(tell(300, 100, 4), 11U);
  EXPECT_EQ(tell(400, 200, 8), 12U);
  EXPECT_DOUBLE_EQ(value(Metric::PublishLatency, labels)->sum_ns, 12e6);
}

// Goal: no count is doubled or lost if one run could not use the kept counters because their file was
// unusable.
TEST_F(StoreTest, counters_found_again_after_a_life_without_them_go_on) {
  store_.apply(reader_.counter(Metric::MessagesReceived, kTicker, 100).message(), at(0));
  store_.apply(reader_.restart(200).counter(Metric::MessagesReceived, kTicker, 7).message(), at(1));
  EXPECT_EQ(received(), 107U);
  store_.apply(reader_.restart(300, 100).counter(Metric::MessagesReceived, kTicker, 110).message(), at(2));
  EXPECT_EQ(received(), 117U);
  store_.apply(reader_.restart(400, 200).counter(Metric::MessagesReceived, kTicker, 8).message(), at(3));
  EXPECT_EQ(received(), 118U);
}

TEST_F(StoreTest, kept_counters_that_are_behind_change_nothing) {
  store_.apply(reader_.counter(Metric::MessagesReceived, kTicker, 100).message(), at(0));
  store_.apply(reader_.restart(200, 100).counter(Metric::MessagesReceived, kTicker, 90).message(), at(1));
  EXPECT_EQ(received(), 100U);
}

TEST_F(StoreTest, histograms_of_a_restarted_component_go_on) {
  const std::vector<std::string> labels = {"gmo", "md:ticker"};
  store_.apply(reader_.histogram(Metric::PublishLatency, labels, 3, 1'000'000).message(), at(0));
  store_.apply(reader_.restart(200).histogram(Metric::PublishLatency, labels, 2, 2'000'000).message(), at(1));
  const auto merged = value(Metric::PublishLatency, labels);
  EXPECT_EQ(merged->count, 5U);
  EXPECT_DOUBLE_EQ(merged->sum_ns, 7e6);
}

TEST_F(StoreTest, older_messages_are_ignored) {
  const auto old = reader_.counter(Metric::MessagesReceived, kTicker, 1).message();
  store_.apply(reader_.counter(Metric::MessagesReceived, kTicker, 5).message(), at(0));
  EXPECT_EQ(store_.apply(old, at(1)).verdict, Verdict::Stale);
  EXPECT_EQ(received(), 5U);
  EXPECT_EQ(store_.sources()[0].last_seen.steady, at(0).steady);
}

TEST_F(StoreTest, a_straggler_of_an_ended_epoch_is_ignored) {
  store_.apply(reader_.counter(Metric::MessagesReceived, kTicker, 100).message(), at(0));
  FakeComponent zombie = reader_;
  store_.apply(reader_.restart(200).counter(Metric::MessagesReceived, kTicker, 1).message(), at(1));
  store_.expire(at(60).steady);  // even if no component is alive any more
  EXPECT_EQ(store_.apply(zombie.message(), at(61)).verdict, Verdict::Stale);
  EXPECT_EQ(received(), 101U);
}

// Goal: a component that restarts after the clock was set back has a smaller epoch. Its messages must be
// accepted when the larger epoch has expired.
TEST_F(StoreTest, a_smaller_epoch_is_a_restart_once_the_larger_one_is_dead) {
  store_.apply(reader_.counter(Metric::MessagesReceived, kTicker, 100).message(), at(0));
  reader_.restart(50).counter(Metric::MessagesReceived, kTicker, 4);
  EXPECT_EQ(store_.apply(reader_.message(), at(1)).verdict, Verdict::Stale);
  store_.expire(at(5).steady);
  EXPECT_EQ(store_.apply(reader_.message(), at(6)).verdict, Verdict::Merged);
  EXPECT_EQ(received(), 104U);
}

TEST_F(StoreTest, until_a_full_message_nothing_is_merged) {
  reader_.counter(Metric::MessagesReceived, kTicker, 5);
  EXPECT_EQ(store_.apply(reader_.message(false), at(0)).verdict, Verdict::NotSynced);
  EXPECT_TRUE(store_.series().empty());
  EXPECT_TRUE(store_.sources()[0].up);
  store_.apply(reader_.message(true), at(1));
  EXPECT_EQ(received(), 5U);
}

TEST_F(StoreTest, an_unknown_number_is_ignored_until_the_next_full_message) {
  store_.apply(reader_.counter(Metric::MessagesReceived, kTicker, 5).message(), at(0));
  reader_.counter(Metric::Reconnects, {"gmo"}, 3);
  store_.apply(reader_.message(false), at(1));
  EXPECT_FALSE(value(Metric::Reconnects, {"gmo"}));
  store_.apply(reader_.message(true), at(2));
  EXPECT_EQ(value(Metric::Reconnects, {"gmo"})->counter, 3U);
}

TEST_F(StoreTest, the_gauges_of_a_silent_component_go_its_counters_stay) {
  reader_.counter(Metric::MessagesReceived, kTicker, 5).gauge(Metric::ConnectionUp, {"gmo"}, 1);
  store_.apply(reader_.message(), at(0));
  EXPECT_TRUE(store_.expire(at(4.9).steady).empty());
  EXPECT_EQ(store_.expire(at(5).steady).size(), 1U);
  EXPECT_TRUE(store_.expire(at(6).steady).empty());  // reported once
  EXPECT_FALSE(value(Metric::ConnectionUp, {"gmo"})->number);
  EXPECT_EQ(received(), 5U);
  EXPECT_TRUE(store_.apply(reader_.message(false), at(10)).is_back);
  EXPECT_EQ(value(Metric::ConnectionUp, {"gmo"})->number, 1.0);
}

TEST_F(StoreTest, a_withdrawn_gauge_is_gone_until_it_is_set_again) {
  const auto set = [this](double number) {
    store_.apply(reader_.gauge(Metric::ConnectionUp, {"gmo"}, number).message(), at(0));
    return value(Metric::ConnectionUp, {"gmo"})->number;
  };
  EXPECT_EQ(set(1), 1.0);
  EXPECT_FALSE(set(std::numeric_limits<double>::quiet_NaN()));
  EXPECT_EQ(set(0), 0.0);
}

TEST_F(StoreTest, a_component_that_says_goodbye_is_dead_at_once) {
  store_.apply(reader_.gauge(Metric::ConnectionUp, {"gmo"}, 1).message(true, true), at(0));
  EXPECT_FALSE(store_.sources()[0].up);
  EXPECT_TRUE(store_.sources()[0].said_goodbye);
  EXPECT_FALSE(value(Metric::ConnectionUp, {"gmo"})->number);
}

TEST_F(StoreTest, the_same_series_of_two_sources_is_summed_and_a_gauge_is_the_last_writers) {
  FakeComponent other("ws-reader", "gmo-2");
  store_.apply(reader_.counter(Metric::Errors, {"ws-reader", "api_error"}, 2)
                   .gauge(Metric::ConnectionUp, {"gmo"}, 0)
                   .message(),
               at(0));
  store_.apply(other.counter(Metric::Errors, {"ws-reader", "api_error"}, 3)
                   .gauge(Metric::ConnectionUp, {"gmo"}, 1)
                   .message(),
               at(1));
  EXPECT_EQ(value(Metric::Errors, {"ws-reader", "api_error"})->counter, 5U);
  EXPECT_EQ(value(Metric::ConnectionUp, {"gmo"})->number, 1.0);
  EXPECT_EQ(store_.series().size(), 2U);
  store_.apply(reader_.message(), at(2));
  EXPECT_EQ(value(Metric::ConnectionUp, {"gmo"})->number, 0.0);
}

TEST_F(StoreTest, beyond_the_limit_series_are_refused_and_counted_once) {
  SnapshotStore small(StoreLimits{2, std::chrono::seconds(5)});
  for (int i = 0; i < 4; ++i) {
    reader_.counter(Metric::MessagesReceived, {"gmo", "ticker", std::to_string(i)}, 1);
  }
  const auto applied = small.apply(reader_.message(), at(0));
  EXPECT_EQ(applied.series_refused, 2U);
  EXPECT_THAT(applied.reason, HasSubstr("--series-max"));
  EXPECT_EQ(small.series().size(), 2U);
  EXPECT_EQ(small.cells().size(), 2U);
}

TEST_F(StoreTest, a_series_refused_in_this_epoch_is_not_counted_again) {
  reader_.counter(Metric::MessagesReceived, {"gmo", "bad\xff", "x"}, 1);
  EXPECT_EQ(store_.apply(reader_.message(), at(0)).series_refused, 1U);
  EXPECT_EQ(store_.apply(reader_.message(), at(1)).series_refused, 0U);
}

TEST_F(StoreTest, names_and_labels_outside_the_catalogue_are_refused) {
  metrics::Delta delta = reader_.message();
  delta.series.push_back({0, "collector_of_the_future_total", {"x"}});
  delta.series.push_back({1, "collector_reconnects_total", {"a", "b"}});
  delta.counters = {{0, 1}, {1, 1}};
  EXPECT_EQ(store_.apply(delta, at(0)).series_refused, 2U);
  EXPECT_TRUE(store_.series().empty());
}

TEST_F(StoreTest, component_names_that_are_no_text_are_refused) {
  EXPECT_EQ(store_.apply(FakeComponent("", "x").message(), at(0)).verdict, Verdict::Refused);
  EXPECT_EQ(store_.apply(FakeComponent("a\nb", "x").message(), at(0)).verdict, Verdict::Refused);
  EXPECT_EQ(store_.apply(FakeComponent("a", std::string(300, 'x')).message(), at(0)).verdict,
            Verdict::Refused);
  EXPECT_TRUE(store_.sources().empty());
}

TEST_F(StoreTest, sources_are_bounded) {
  for (int i = 0; i < 256; ++i) store_.apply(FakeComponent("c", std::to_string(i)).message(), at(0));
  const auto applied = store_.apply(FakeComponent("c", "one more").message(), at(0));
  EXPECT_EQ(applied.verdict, Verdict::Refused);
  EXPECT_EQ(store_.sources().size(), 256U);
}

TEST_F(StoreTest, a_histogram_that_does_not_add_up_is_ignored) {
  const std::vector<std::string> labels = {"gmo", "md:ticker"};
  metrics::Delta delta = reader_.histogram(Metric::PublishLatency, labels, 3, 1'000'000).message();
  delta.histograms[0].second.count = 4;
  store_.apply(delta, at(0));
  EXPECT_EQ(value(Metric::PublishLatency, labels)->count, 0U);
}

TEST_F(StoreTest, totals_that_go_down_in_an_epoch_are_ignored) {
  store_.apply(reader_.counter(Metric::MessagesReceived, kTicker, 9).message(), at(0));
  store_.apply(reader_.counter(Metric::MessagesReceived, kTicker, 3).message(), at(1));
  EXPECT_EQ(received(), 9U);
}

}  // namespace
}  // namespace mdpipe::agent

#include "metrics-agent/forward/otlp/otlp_counts.hpp"

#include <gtest/gtest.h>

#include "tests/unit/metrics-agent/forward/otlp/otlp_fixture.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;

// Everything that is pending goes out as one request; what it says of a series.
struct Point {
  std::uint64_t count;
  double begin, end;  // seconds, as of at()
};

double seconds_of(UnixNanos time) { return static_cast<double>((time - at(0).wall).count()) * 1e-9; }

Point point_of(const OtlpAgent& agent, Metric metric, const std::vector<std::string>& labels) {
  const auto index = agent.find(metric, labels);
  if (!index) return {0, -1, -1};
  const auto& entry = agent.counts[*index];
  return {entry.histogram ? entry.histogram->count : entry.count, seconds_of(agent.counts.since(*index)),
          seconds_of(agent.counts.end())};
}

void send_all(OtlpAgent& agent) {
  for (std::size_t i = 0; i < agent.counts.size(); ++i) {
    if (!agent.counts[i].is_empty()) agent.counts.set_aside(i);
  }
}

Point take(OtlpAgent& agent, Metric metric, const std::vector<std::string>& labels) {
  const Point point = point_of(agent, metric, labels);
  send_all(agent);
  agent.counts.confirm();
  return point;
}

void expect_point(const Point& point, std::uint64_t count, double begin, double end) {
  EXPECT_EQ(point.count, count);
  EXPECT_NEAR(point.begin, begin, 1e-3);
  EXPECT_NEAR(point.end, end, 1e-3);
}

class OtlpCountsTest : public testing::Test {
 protected:
  static void count(OtlpAgent& agent, FakeComponent& reader, std::uint64_t total, double seconds) {
    agent.hear(reader.counter(Metric::MessagesReceived, kTicker, total).message(), seconds);
  }
  static Point point(const OtlpAgent& agent) { return point_of(agent, Metric::MessagesReceived, kTicker); }
  static Point take(OtlpAgent& agent) { return agent::take(agent, Metric::MessagesReceived, kTicker); }

  FakeComponent reader_{"ws-reader", "a", epoch_at(-50)}, other_{"ws-reader", "b", epoch_at(-70)};
};

TEST_F(OtlpCountsTest, totals_begin_when_their_source_began_to_count) {
  OtlpAgent agent(Temporality::Cumulative);
  count(agent, reader_, 10, 1);
  count(agent, other_, 5, 2);
  agent.end_window(10);
  expect_point(point(agent), 15, -70, 10);
  count(agent, reader_, 30, 11);
  agent.end_window(20);
  expect_point(point(agent), 35, -70, 20);
}

TEST_F(OtlpCountsTest, a_series_that_is_zero_has_the_same_beginning_once_it_counts) {
  OtlpAgent agent(Temporality::Cumulative);
  count(agent, reader_, 0, 1);
  agent.end_window(10);
  expect_point(point(agent), 0, -50, 10);
  count(agent, reader_, 3, 11);
  agent.end_window(20);
  expect_point(point(agent), 3, -50, 20);
}

TEST_F(OtlpCountsTest, a_later_source_does_not_move_the_beginning) {
  OtlpAgent agent(Temporality::Cumulative);
  count(agent, reader_, 10, 1);
  agent.end_window(10);
  count(agent, other_, 5, 11);
  agent.end_window(20);
  expect_point(point(agent), 15, -50, 20);
}

TEST_F(OtlpCountsTest, totals_go_on_over_a_restart_and_a_loss_of_the_counters) {
  OtlpAgent agent(Temporality::Cumulative);
  count(agent, reader_, 10, 1);
  agent.end_window(10);
  reader_.restart(epoch_at(11));  // its counters are lost, the agent knows what was in them
  count(agent, reader_, 4, 12);
  agent.end_window(20);
  expect_point(point(agent), 14, -50, 20);

  OtlpAgent next(Temporality::Cumulative, 21, agent.checkpoint());
  expect_point(point(next), 14, -50, 20);  // before any component is heard
  count(next, reader_, 6, 22);
  next.end_window(30);
  expect_point(point(next), 16, -50, 30);

  OtlpAgent without_state(Temporality::Cumulative, 31);  // goes back: the beginning moves with it
  count(without_state, reader_, 6, 32);
  without_state.end_window(40);
  expect_point(point(without_state), 6, 11, 40);
}

TEST_F(OtlpCountsTest, increments_touch_and_do_not_overlap) {
  OtlpAgent agent(Temporality::Delta);
  count(agent, reader_, 10, 1);
  agent.end_window(10);
  expect_point(take(agent), 10, -50, 10);
  count(agent, reader_, 13, 11);
  agent.end_window(20);
  expect_point(take(agent), 3, 10, 20);
  agent.end_window(30);
  EXPECT_EQ(point(agent).count, 0U);  // nothing to tell: the next point reaches back
  count(agent, reader_, 14, 31);
  count(agent, other_, 100, 31);  // it had counted unheard for long: that does not reach back
  agent.end_window(40);
  expect_point(take(agent), 101, 20, 40);
}

TEST_F(OtlpCountsTest, increments_that_are_not_taken_leave_with_the_next) {
  OtlpAgent agent(Temporality::Delta);
  count(agent, reader_, 10, 1);
  agent.end_window(10);
  take(agent);
  count(agent, reader_, 12, 11);
  agent.end_window(20);
  send_all(agent);
  EXPECT_EQ(point(agent).count, 0U);
  count(agent, reader_, 15, 21);
  agent.end_window(30);
  expect_point(point(agent), 3, 20, 30);  // what came meanwhile
  agent.counts.put_back();
  expect_point(take(agent), 5, 10, 30);
}

TEST_F(OtlpCountsTest, increments_survive_a_restart_with_their_times) {
  OtlpAgent agent(Temporality::Delta);
  count(agent, reader_, 10, 1);
  agent.end_window(10);
  take(agent);
  count(agent, reader_, 12, 11);
  agent.hear(reader_.histogram(Metric::PublishLatency, kLatencyLabels, 4, 5'000'000).message(), 11);
  agent.end_window(20);
  send_all(agent);  // on its way when the agent is killed
  count(agent, reader_, 15, 21);
  agent.end_window(30);

  OtlpAgent next(Temporality::Delta, 35, agent.checkpoint());
  count(next, reader_, 16, 36);
  next.end_window(40);
  expect_point(point_of(next, Metric::PublishLatency, kLatencyLabels), 4, 10, 40);
  expect_point(take(next), 6, 10, 40);
  count(next, reader_, 17, 41);
  next.end_window(50);
  expect_point(take(next), 1, 40, 50);
}

TEST_F(OtlpCountsTest, a_delivered_round_is_not_repeated_by_the_next_life) {
  OtlpAgent agent(Temporality::Delta);
  count(agent, reader_, 10, 1);
  agent.end_window(10);
  take(agent);
  OtlpAgent next(Temporality::Delta, 11, agent.checkpoint());
  count(next, reader_, 12, 12);
  next.end_window(20);
  expect_point(take(next), 2, 10, 20);
}

TEST_F(OtlpCountsTest, totals_are_not_sent_as_increments_when_the_temporality_changes) {
  OtlpAgent agent(Temporality::Cumulative);
  count(agent, reader_, 10, 1);
  agent.end_window(10);
  OtlpAgent next(Temporality::Delta, 11, agent.checkpoint());
  count(next, reader_, 12, 12);
  next.end_window(20);
  expect_point(take(next), 2, 10, 20);
  count(next, reader_, 15, 21);
  next.end_window(30);
  OtlpAgent back(Temporality::Cumulative, 31, next.checkpoint());  // what was not taken is not lost
  count(back, reader_, 16, 32);
  back.end_window(40);
  expect_point(point(back), 4, 20, 40);
}

TEST_F(OtlpCountsTest, a_clock_that_is_set_back_does_not_turn_times_round) {
  OtlpAgent agent(Temporality::Delta);
  count(agent, reader_, 10, 1);
  agent.end_window(10);
  take(agent);
  count(agent, reader_, 12, 11);
  agent.end_window(20, -3600);
  expect_point(take(agent), 2, 10, 10.001);
  count(agent, reader_, 13, 21);
  agent.end_window(30, -3600);
  expect_point(take(agent), 1, 10.001, 10.002);
}

TEST_F(OtlpCountsTest, processor_time_is_told_as_increments_of_microseconds) {
  const std::vector<std::string> labels = {"ws-reader", "a"};
  const auto used = [&](OtlpAgent& agent, double cpu, double seconds) {
    agent.hear(reader_.gauge(Metric::ProcessCpuSeconds, labels, cpu).message(), seconds);
    agent.end_window(seconds + 1);
    return agent::take(agent, Metric::ProcessCpuSeconds, labels).count;
  };
  OtlpAgent agent(Temporality::Delta);
  EXPECT_EQ(used(agent, 1.5, 1), 1'500'000U);
  EXPECT_EQ(used(agent, 1.75, 11), 250'000U);
  reader_.restart(epoch_at(20), epoch_at(-50));
  EXPECT_EQ(used(agent, 0.5, 21), 500'000U);
  OtlpAgent next(Temporality::Delta, 23, agent.checkpoint());
  EXPECT_EQ(used(next, 0.75, 31), 0U);  // from before this run of the agent: not sent again
  EXPECT_EQ(used(next, 1.0, 41), 250'000U);
}

}  // namespace
}  // namespace mdpipe::agent

#include "ws-reader/frame_source.hpp"

#include "tests/unit/ws-reader/app_parts_support.hpp"

namespace mdpipe::reader {
namespace {

struct FrameSourceTest : FilterTest {
  std::uint64_t count(metrics::Metric metric, std::initializer_list<std::string_view> labels) {
    return collector.total(collector.series(metric, labels));
  }
  std::uint64_t pauses() { return count(metrics::Metric::InputPauses, {"test"}); }
};

TEST_F(FrameSourceTest, reads_one_frame_a_line) {
  make_source();
  source->start();
  EXPECT_EQ(said, std::vector<std::string>{"reading standard input"});
  input.write("BTC ETH\r\n\r\n\ncontrol\n");
  poll();
  EXPECT_EQ(pipeline.totals().frames, 2U) << "empty lines are no frames";
  EXPECT_EQ(pipeline.totals().events, 2U);
  EXPECT_EQ(count(metrics::Metric::MessagesReceived, {"test", "trade", "ETH"}), 1U)
      << "the carriage return is no part of the frame";
}

TEST_F(FrameSourceTest, skips_and_counts_a_line_that_is_too_long) {
  config.frame_bytes_max.count = 8;
  make_source();
  source->start();
  input.write("a line of many words\nBTC\n");
  poll();
  EXPECT_EQ(pipeline.totals().events, 1U);
  EXPECT_EQ(count(metrics::Metric::Errors, {"ws-reader", "frame_too_large"}), 1U);
}

TEST_F(FrameSourceTest, reports_the_end_of_the_input) {
  make_source();
  source->start();
  input.write("BTC");
  input.close_writer();
  poll();
  EXPECT_EQ(said.back(), "end");
  EXPECT_EQ(pipeline.totals().events, 1U) << "the last line needs no line end";
  EXPECT_TRUE(source->is_closed());
}

// The source is configured for a link, so that it pauses; what is delivered goes to the pipe and is confirmed
// with each flush.
struct Pausing : FrameSourceTest {
  Pausing() {
    config.to_stdout = false;
    config.retain_bytes.count = 400;  // a pause begins above a quarter of it
    make_source();
    source->start();
  }
};

TEST_F(Pausing, reads_nothing_from_a_full_outbox_until_enough_is_confirmed) {
  input.write("BTC\nBTC\nBTC\nBTC\n");
  poll();
  EXPECT_EQ(pipeline.totals().events, 4U) << "these had been read in one go";
  EXPECT_EQ(pauses(), 1U);
  input.write("BTC\n");
  poll();
  EXPECT_EQ(pipeline.totals().events, 4U);
  for (int i = 0; i < 4; ++i) delivery.writer().write(trade(), moment_now());
  source->resume_if_caught_up();
  EXPECT_GT(delivery.outbox().unconfirmed_bytes(), 200U);
  poll();
  EXPECT_EQ(pipeline.totals().events, 4U) << "not caught up";
  source->resume_if_caught_up();
  poll();
  EXPECT_EQ(pipeline.totals().events, 5U);
}

TEST_F(Pausing, a_small_backlog_is_no_reason) {
  input.write("BTC\n");
  poll();
  input.write("BTC\n");
  poll();
  EXPECT_EQ(pipeline.totals().events, 2U);
  EXPECT_EQ(pauses(), 0U);
}

TEST_F(FrameSourceTest, does_not_pause_before_standard_output) {
  config.retain_bytes.count = 4;
  make_source();
  source->start();
  for (int i = 0; i < 3; ++i) {
    input.write("BTC\n");
    poll();
  }
  EXPECT_EQ(pipeline.totals().events, 3U);
  EXPECT_EQ(pauses(), 0U);
}

}  // namespace
}  // namespace mdpipe::reader

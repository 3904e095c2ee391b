#include "ws-reader/delivery.hpp"

#include <csignal>

#include "tests/unit/ws-reader/app_parts_support.hpp"

namespace mdpipe::reader {
namespace {

struct DeliveryTest : FilterTest {
  void write(int events) {
    for (int i = 0; i < events; ++i) delivery.writer().write(trade(), moment_now());
  }
};

TEST_F(DeliveryTest, delivers_the_events_of_a_turn_at_its_end) {
  write(2);
  EXPECT_TRUE(output.lines().empty());
  EXPECT_TRUE(delivery.writer().is_flush_due());
  poll();
  const auto lines = output.lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines.front().find(R"("type":"trade")"), std::string::npos) << lines.front();
  EXPECT_FALSE(delivery.writer().is_flush_due());
  EXPECT_TRUE(delivery.outbox().everything_confirmed());
}

TEST_F(DeliveryTest, flushes_at_once_on_request) {
  write(1);
  delivery.flush();
  EXPECT_EQ(output.lines().size(), 1U);
  write(1);
  poll();
  EXPECT_EQ(output.lines().size(), 1U);
}

TEST_F(DeliveryTest, reports_a_closed_output) {
  output.close_reader();
  signal(SIGPIPE, SIG_IGN);
  write(1);
  poll();
  EXPECT_EQ(said, std::vector<std::string>{"output closed"});
}

TEST_F(DeliveryTest, what_is_unconfirmed_without_a_spool_is_lost_at_the_end) {
  write(3);
  const auto remainder = delivery.close();
  EXPECT_EQ(remainder.unconfirmed, 3U);
  EXPECT_EQ(remainder.lost, 3U);
}

TEST_F(DeliveryTest, nothing_is_lost_after_a_flush) {
  write(3);
  delivery.flush_all();
  const auto remainder = delivery.close();
  EXPECT_EQ(remainder.unconfirmed, 0U);
  EXPECT_EQ(remainder.lost, 0U);
}

}  // namespace
}  // namespace mdpipe::reader

#include "ws-reader/outbox/publisher_state.hpp"

#include <gtest/gtest.h>

#include "ws-reader/outbox/predecessor_end.hpp"

namespace mdpipe::reader {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kOwnEpoch = 77;
constexpr SteadyTime kSent{std::chrono::hours(1)};

wire::Position position_of(std::uint64_t epoch, std::uint64_t confirmed, std::uint64_t accepted,
                           std::uint64_t instance = 1) {
  wire::Position out;
  out.instance = instance;
  out.epoch = epoch;
  out.confirmed = confirmed;
  out.accepted = accepted;
  out.redis_up = true;
  return out;
}

// Events 1 to 5 were sent, and a publisher has accepted 4 of them and confirmed 2.
struct PublisherStateTest : testing::Test {
  PublisherState state{kOwnEpoch};

  void SetUp() override {
    state.enter_epoch(kOwnEpoch, 0);
    state.on_sent(5, std::nullopt, kSent);
    const auto reaction = state.on_position(position_of(kOwnEpoch, 2, 4), 5, kSent);
    EXPECT_TRUE(reaction.is_for_us);
    EXPECT_TRUE(reaction.has_confirmed);
    EXPECT_FALSE(reaction.resend_after);
    EXPECT_EQ(state.confirmed(), 2U);
  }
};

TEST_F(PublisherStateTest, a_new_publisher_is_sent_what_it_has_not_accepted) {
  EXPECT_EQ(state.on_position(position_of(kOwnEpoch, 2, 3, 2), 5, kSent).resend_after, 3U);
  EXPECT_EQ(state.on_position(position_of(0, 0, 0, 3), 5, kSent).resend_after, 2U) << "it knows no reader";
}

TEST_F(PublisherStateTest, a_publisher_that_accepts_nothing_for_a_second_is_stalled) {
  EXPECT_FALSE(state.on_position(position_of(kOwnEpoch, 2, 4), 5, kSent + milliseconds(999)).resend_after);
  EXPECT_EQ(state.on_position(position_of(kOwnEpoch, 2, 4), 5, kSent + seconds(1)).resend_after, 4U);
  EXPECT_FALSE(state.on_position(position_of(kOwnEpoch, 2, 4), 5, kSent + milliseconds(1900)).resend_after);
}

TEST_F(PublisherStateTest, a_position_beyond_what_was_sent_confirms_nothing) {
  EXPECT_FALSE(state.on_position(position_of(kOwnEpoch, 6, 6), 5, kSent).has_confirmed);
  EXPECT_EQ(state.confirmed(), 2U);
}

TEST_F(PublisherStateTest, of_a_previous_run_the_publisher_may_know_more) {
  state.enter_epoch(kOwnEpoch - 1, 0);
  EXPECT_TRUE(state.on_position(position_of(kOwnEpoch - 1, 100, 100), std::nullopt, kSent).has_confirmed);
  EXPECT_EQ(state.confirmed(), 100U);
}

TEST_F(PublisherStateTest, a_loss_in_redis_is_reported_once) {
  wire::Position lost = position_of(kOwnEpoch, 2, 4);
  lost.lost_after = 1;
  lost.lost_to = 2;
  EXPECT_TRUE(state.on_position(lost, 5, kSent).redis_lost_events);
  EXPECT_FALSE(state.on_position(lost, 5, kSent).redis_lost_events);
}

TEST_F(PublisherStateTest, a_rejected_reader_reacts_to_nothing_else) {
  wire::Position rejected = position_of(kOwnEpoch, 3, 3, 2);
  rejected.refused = true;
  const auto reaction = state.on_position(rejected, 5, kSent);
  EXPECT_TRUE(reaction.is_duplicate_reader);
  EXPECT_FALSE(reaction.resend_after);
  EXPECT_EQ(state.confirmed(), 2U);
}

TEST(PredecessorEnd, comes_before_the_own_epoch_even_if_the_clock_was_set_back) {
  const PredecessorEnd end(Predecessor{100, 7});
  EXPECT_EQ(end.before(100, 90), nullptr) << "its own events in the spool are sent first";
  EXPECT_EQ(end.before(50, 90), nullptr);
  ASSERT_NE(end.before(90, 90), nullptr);
  EXPECT_EQ(end.confirmed_of(100), 7U);
  EXPECT_EQ(end.confirmed_of(90), 0U);
}

TEST(PredecessorEnd, is_final_once_the_publisher_is_quiet_and_has_closed_the_epoch) {
  PredecessorEnd end(Predecessor{100, 0});
  EXPECT_FALSE(end.on_position(position_of(100, 3, 5), kSent));
  EXPECT_FALSE(end.on_position(position_of(100, 5, 5), kSent + seconds(1))) << "it has just moved";
  EXPECT_FALSE(end.is_closing());
  EXPECT_FALSE(end.on_position(position_of(100, 5, 5), kSent + seconds(2)));
  EXPECT_TRUE(end.is_closing());
  wire::Position closed = position_of(100, 5, 5);
  closed.closed = true;
  EXPECT_TRUE(end.on_position(closed, kSent + seconds(2)));
  EXPECT_EQ(end.before(200, 200), nullptr);
}

}  // namespace
}  // namespace mdpipe::reader

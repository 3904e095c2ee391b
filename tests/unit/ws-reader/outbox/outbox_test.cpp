#include "ws-reader/outbox/outbox.hpp"

#include <gtest/gtest.h>

#include "tests/unit/ws-reader/outbox/outbox_support.hpp"

namespace mdpipe::reader {
namespace {

using Effect = Outbox::PositionEffect;
constexpr std::uint64_t kEpoch = 77;
constexpr std::uint64_t kPublisher = 1000;  // an instance
constexpr Moment kStart{UnixNanos{1'700'000'000'000'000'000}, SteadyTime(std::chrono::hours(1))};

wire::Position position(std::uint64_t confirmed, std::uint64_t accepted,
                        std::uint64_t instance = kPublisher) {
  return {instance, kEpoch, confirmed, accepted, true};
}

wire::Position announcement(std::uint64_t instance) { return {instance, 0, 0, 0, true}; }

// An outbox that sends every event as a separate batch.
struct OutboxTest : testing::Test {
  Outbox outbox{"gmo", kEpoch, {}, kStart};

  void append_batches(int count) {
    for (int i = 0; i < count; ++i) {
      outbox.append(trade(), kStart);
      outbox.flush(kStart);
    }
  }
};

TEST_F(OutboxTest, numbers_events_from_one_without_holes_across_batches) {
  std::vector<std::uint64_t> seen;
  for (int batch = 0; batch < 20; ++batch) {
    for (int i = 0; i <= batch % 3; ++i) outbox.append(trade(), kStart);
    outbox.flush(kStart);
    const Batch* next = outbox.next();
    ASSERT_NE(next, nullptr);
    EXPECT_EQ(next->first_seq, seen.size() + 1);
    for (const auto seq : seqs(next->payload.view())) seen.push_back(seq);
    EXPECT_EQ(next->last_seq(), seen.size());
    outbox.mark_sent(kStart);
  }
  EXPECT_EQ(seen, numbers(1, outbox.last_seq()));
}

TEST_F(OutboxTest, header_names_source_epoch_and_the_oldest_event_kept) {
  append_batches(3);
  send_all(outbox, kStart);
  outbox.on_position(position(1, 1), kStart);
  outbox.append(trade(), kStart);
  outbox.append(trade(), kStart);
  outbox.flush(kStart);
  const wire::BatchHeader header = outbox.header(*outbox.next(), kStart.wall);
  EXPECT_EQ(header.source, "gmo");
  EXPECT_EQ(header.epoch, kEpoch);
  EXPECT_EQ(header.first_seq, 4U);
  EXPECT_EQ(header.count, 2U);
  EXPECT_EQ(header.oldest, 2U);
}

TEST_F(OutboxTest, an_open_batch_is_not_sent) {
  outbox.append(trade(), kStart);
  EXPECT_EQ(outbox.next(), nullptr);
  outbox.flush(kStart);
  EXPECT_NE(outbox.next(), nullptr);
}

TEST_F(OutboxTest, flush_without_events_makes_no_batch) {
  outbox.flush(kStart);
  outbox.flush(kStart);
  EXPECT_EQ(outbox.next(), nullptr);
  EXPECT_TRUE(outbox.everything_confirmed());
}

TEST(Outbox, closes_a_batch_that_has_grown_to_its_limit) {
  Outbox outbox("gmo", kEpoch, {1U << 20U, 300, 1U << 20U}, kStart);
  for (int i = 0; i < 10; ++i) outbox.append(trade(), kStart);
  const Batch* first = outbox.next();
  ASSERT_NE(first, nullptr);
  EXPECT_GE(first->payload.size(), 300U);
  EXPECT_LT(first->payload.size(), 500U);
}

TEST(Outbox, stops_sending_at_the_window_and_goes_on_after_a_confirmation) {
  Outbox outbox("gmo", kEpoch, {1U << 20U, 1, 500}, kStart);
  for (int i = 0; i < 20; ++i) outbox.append(trade(), kStart);
  const auto first = send_all(outbox, kStart);
  EXPECT_GE(first.size(), 2U);
  EXPECT_LT(first.size(), 20U);
  outbox.on_position(position(1, first.size()), kStart);
  EXPECT_EQ(send_all(outbox, kStart), numbers(first.size() + 1, first.size() + 1));
}

std::uint64_t lost_of(const LossReport::Losses& losses, EventType type) {
  const auto found = losses.find(std::pair<EventType, std::string>(type, "BTC_JPY"));
  return found == losses.end() ? 0 : found->second.count;
}

TEST(Outbox, replaces_the_oldest_at_the_bound_by_a_report_of_what_is_missing) {
  Outbox outbox("gmo", kEpoch, {2000, 1, 1U << 20U}, kStart);
  outbox.append(ticker(), kStart);
  for (int i = 0; i < 50; ++i) outbox.append(trade(), kStart);
  EXPECT_LE(outbox.unconfirmed_bytes(), 2000U);
  const auto losses = outbox.pop_losses();
  EXPECT_EQ(lost_of(losses, EventType::Ticker), 1U);
  const std::uint64_t trades = lost_of(losses, EventType::Trade);
  EXPECT_GT(trades, 10U);
  EXPECT_TRUE(outbox.pop_losses().empty()) << "told once";

  const Batch* report = outbox.next();
  ASSERT_NE(report, nullptr);
  EXPECT_EQ(report->follows, 0U);
  EXPECT_EQ(report->last_seq(), 1 + trades);
  const auto gaps = events_of(report->payload.view());
  ASSERT_EQ(gaps.size(), 2U);
  EXPECT_EQ(gaps[0].at("state"), "gap");
  EXPECT_EQ(gaps[0].at("channel"), "ticker");
  EXPECT_EQ(gaps[0].at("lost"), "1");
  EXPECT_EQ(gaps[1].at("channel"), "trade");
  EXPECT_EQ(gaps[1].at("lost"), std::to_string(trades));
  const auto sent = send_all(outbox, kStart);
  EXPECT_EQ(sent, numbers(trades, trades + sent.size() - 1)) << "the report, then what is left, in order";
}

TEST(Outbox, a_second_report_follows_the_one_that_is_on_its_way) {
  Outbox outbox("gmo", kEpoch, {2000, 1, 400}, kStart);
  for (int i = 0; i < 50; ++i) outbox.append(trade(), kStart);
  const std::uint64_t first_lost = lost_of(outbox.pop_losses(), EventType::Trade);
  ASSERT_EQ(outbox.next()->last_seq(), first_lost);
  outbox.mark_sent(kStart);
  for (int i = 0; i < 50; ++i) outbox.append(trade(), kStart);
  const std::uint64_t then_lost = lost_of(outbox.pop_losses(), EventType::Trade);
  const Batch* second = outbox.next();
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->follows, first_lost);
  EXPECT_EQ(events_of(second->payload.view()).at(0).at("lost"), std::to_string(then_lost));
  EXPECT_EQ(second->last_seq(), first_lost + then_lost);
}

TEST(Outbox, keeps_one_event_larger_than_the_bound) {
  Outbox outbox("gmo", kEpoch, {10, 1, 1U << 20U}, kStart);
  outbox.append(trade(), kStart);
  EXPECT_EQ(outbox.unconfirmed_events(), 1U);
  EXPECT_TRUE(outbox.pop_losses().empty());
}

TEST(Outbox, never_drops_what_is_on_its_way) {
  Outbox outbox("gmo", kEpoch, {2000, 1, 1U << 20U}, kStart);
  std::vector<std::uint64_t> sent;
  for (int i = 0; i < 50; ++i) {
    outbox.append(trade(), kStart);
    for (const auto seq : send_all(outbox, kStart)) sent.push_back(seq);
  }
  const auto on_its_way = sent.size();
  EXPECT_EQ(sent, numbers(1, on_its_way));
  outbox.on_position(position(0, 0, kPublisher), kStart);
  outbox.on_position(position(0, 0, kPublisher + 1), kStart);
  const auto again = send_all(outbox, kStart);
  EXPECT_EQ(std::vector<std::uint64_t>(again.begin(), again.begin() + static_cast<long>(on_its_way)), sent);
}

TEST_F(OutboxTest, forgets_what_is_confirmed) {
  append_batches(3);
  send_all(outbox, kStart);
  EXPECT_EQ(outbox.on_position(position(2, 3), kStart), Effect::Progress);
  EXPECT_EQ(outbox.unconfirmed_events(), 1U);
  EXPECT_EQ(outbox.heartbeat(kStart.wall).confirmed, 2U);
  outbox.on_position(position(3, 3), kStart);
  EXPECT_TRUE(outbox.everything_confirmed());
  EXPECT_EQ(outbox.unconfirmed_bytes(), 0U);
}

TEST_F(OutboxTest, keeps_a_batch_that_is_confirmed_in_part) {
  outbox.append(trade(), kStart);
  outbox.append(trade(), kStart);
  outbox.flush(kStart);
  send_all(outbox, kStart);
  outbox.on_position(position(1, 2), kStart);
  EXPECT_EQ(outbox.unconfirmed_events(), 1U);
  EXPECT_FALSE(outbox.everything_confirmed());
}

TEST_F(OutboxTest, a_new_publisher_gets_everything_it_has_not_accepted) {
  append_batches(4);
  send_all(outbox, kStart);
  outbox.on_position(position(1, 4), kStart);
  EXPECT_EQ(outbox.on_position(position(1, 2, kPublisher + 1), kStart), Effect::Resend);
  EXPECT_EQ(send_all(outbox, kStart), numbers(3, 4));
}

TEST_F(OutboxTest, a_new_publisher_that_knows_no_reader_gets_everything) {
  append_batches(4);
  send_all(outbox, kStart);
  outbox.on_position(position(1, 4), kStart);
  EXPECT_EQ(outbox.on_position(announcement(kPublisher + 1), kStart), Effect::Resend);
  EXPECT_EQ(send_all(outbox, kStart), numbers(2, 4));
}

TEST_F(OutboxTest, the_first_publisher_ever_heard_is_not_a_reason_to_resend) {
  append_batches(2);
  send_all(outbox, kStart);
  outbox.on_position(announcement(kPublisher), kStart);
  EXPECT_EQ(outbox.next(), nullptr);
}

TEST_F(OutboxTest, resends_where_the_publisher_takes_acceptance_back) {
  append_batches(4);
  send_all(outbox, kStart);
  outbox.on_position(position(1, 4), kStart);
  EXPECT_EQ(outbox.on_position(position(1, 1), kStart), Effect::Resend);
  EXPECT_EQ(send_all(outbox, kStart), numbers(2, 4));
}

TEST_F(OutboxTest, says_once_that_redis_lost_what_it_had_confirmed) {
  append_batches(4);
  send_all(outbox, kStart);
  outbox.on_position(position(3, 4), kStart);
  wire::Position lost = position(3, 3, kPublisher + 1);
  lost.lost_after = 1;
  lost.lost_to = 3;
  EXPECT_EQ(outbox.on_position(lost, kStart), Effect::RedisLostEvents);
  EXPECT_EQ(send_all(outbox, kStart), numbers(4, 4));  // the rest is gone
  EXPECT_EQ(outbox.on_position(lost, kStart), Effect::Progress);
  EXPECT_EQ(outbox.header(Batch(), kStart.wall).oldest, 4U);
}

TEST_F(OutboxTest, is_told_that_another_reader_has_its_name) {
  wire::Position refused = position(0, 0);
  refused.refused = true;
  EXPECT_EQ(outbox.on_position(refused, kStart), Effect::DuplicateReader);
}

TEST_F(OutboxTest, a_heartbeat_tells_what_was_confirmed_and_holds_nothing) {
  append_batches(3);
  send_all(outbox, kStart);
  outbox.on_position(position(2, 3), kStart);
  wire::BatchHeader header = outbox.heartbeat(kStart.wall);
  EXPECT_EQ(header.count, 0U);
  EXPECT_EQ(header.confirmed, 2U);
  EXPECT_EQ(header.oldest, 3U) << "the third can still be sent";
  outbox.on_position(position(3, 3), kStart);
  outbox.append(trade(), kStart);
  header = outbox.heartbeat(kStart.wall);
  EXPECT_EQ(header.oldest, 4U);
  EXPECT_EQ(header.confirmed, 3U);
}

TEST_F(OutboxTest, resends_what_is_not_accepted_for_a_second) {
  append_batches(3);
  send_all(outbox, kStart);
  using std::chrono::milliseconds;
  EXPECT_EQ(outbox.on_position(position(0, 1), kStart), Effect::Progress);
  EXPECT_EQ(outbox.on_position(position(0, 1), kStart + milliseconds(999)), Effect::Progress);
  EXPECT_EQ(outbox.on_position(position(0, 1), kStart + milliseconds(1000)), Effect::Resend);
  EXPECT_EQ(send_all(outbox, kStart + milliseconds(1000)), numbers(2, 3));
  EXPECT_EQ(outbox.on_position(position(0, 1), kStart + milliseconds(1900)), Effect::Progress);
}

TEST_F(OutboxTest, progress_keeps_a_slow_publisher_from_being_taken_for_stalled) {
  append_batches(10);
  send_all(outbox, kStart);
  for (int i = 1; i < 10; ++i) {
    const auto accepted = static_cast<std::uint64_t>(i);
    EXPECT_EQ(outbox.on_position(position(0, accepted), kStart + std::chrono::milliseconds(900 * i)),
              Effect::Progress);
  }
}

TEST_F(OutboxTest, does_not_resend_while_the_publisher_waits_for_redis) {
  append_batches(3);
  send_all(outbox, kStart);
  wire::Position waiting = position(0, 0);
  waiting.redis_up = false;
  outbox.on_position(waiting, kStart);
  EXPECT_EQ(outbox.on_position(waiting, kStart + std::chrono::seconds(60)), Effect::Progress);
}

// The publisher that took the events was killed before it sent a position, and the next one knows nothing of
// this reader: only its announcements to every reader come in.
TEST_F(OutboxTest, resends_to_a_publisher_that_never_mentions_this_reader) {
  append_batches(3);
  send_all(outbox, kStart);
  outbox.on_position(announcement(kPublisher), kStart);
  outbox.on_position(announcement(kPublisher), kStart + std::chrono::milliseconds(1100));
  EXPECT_EQ(send_all(outbox, kStart + std::chrono::milliseconds(1100)), numbers(1, 3));
}

TEST_F(OutboxTest, ignores_positions_of_a_foreign_epoch) {
  append_batches(3);
  send_all(outbox, kStart);
  outbox.on_position(position(1, 3), kStart);
  EXPECT_EQ(outbox.on_position({kPublisher, kEpoch + 1, 3, 3, true}, kStart), Effect::None);
  EXPECT_EQ(outbox.on_position({kPublisher, kEpoch - 1, 0, 0, true}, kStart), Effect::None);
  EXPECT_EQ(outbox.unconfirmed_events(), 2U);
  EXPECT_EQ(outbox.next(), nullptr);
}

TEST_F(OutboxTest, ignores_a_confirmation_of_more_than_there_is) {
  append_batches(2);
  send_all(outbox, kStart);
  outbox.on_position(position(3, 3), kStart);
  EXPECT_EQ(outbox.unconfirmed_events(), 2U);
}

TEST_F(OutboxTest, ignores_a_confirmation_of_what_was_never_sent) {
  append_batches(1);
  send_all(outbox, kStart);
  append_batches(1);  // sealed, not sent
  outbox.append(trade(), kStart);
  outbox.append(trade(), kStart);  // in the open batch
  outbox.on_position(position(4, 4), kStart);
  EXPECT_EQ(outbox.unconfirmed_events(), 4U);
  outbox.append(trade(), kStart);
  outbox.flush(kStart);
  EXPECT_EQ(send_all(outbox, kStart), numbers(2, 5));
}

TEST_F(OutboxTest, confirm_sent_ends_events_that_a_pipe_took) {
  append_batches(2);
  ASSERT_NE(outbox.next(), nullptr);
  outbox.mark_sent(kStart);
  outbox.confirm_sent(kStart);
  EXPECT_EQ(outbox.unconfirmed_events(), 1U);
  outbox.mark_sent(kStart);
  outbox.confirm_sent(kStart);
  EXPECT_TRUE(outbox.everything_confirmed());
}

TEST_F(OutboxTest, takes_the_buffers_of_confirmed_batches_again) {
  append_batches(4);
  send_all(outbox, kStart);
  const char* first_buffer = nullptr;
  outbox.on_position(position(4, 4), kStart);
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 30; ++i) outbox.append(trade(), kStart);  // larger than a string that stands in place
    outbox.flush(kStart);
    const char* buffer = outbox.next()->payload.data();
    if (round == 10) first_buffer = buffer;
    if (round > 10) {
      EXPECT_EQ(buffer, first_buffer);
    }
    send_all(outbox, kStart);
    outbox.on_position(position(outbox.last_seq(), outbox.last_seq()), kStart);
  }
}

}  // namespace
}  // namespace mdpipe::reader

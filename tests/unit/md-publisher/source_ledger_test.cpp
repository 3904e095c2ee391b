#include "md-publisher/source_ledger.hpp"

#include <gtest/gtest.h>

namespace mdpipe::publisher {
namespace {

constexpr std::uint64_t kEpoch = 100;

wire::BatchHeader batch(std::uint64_t first, std::uint32_t count, std::uint64_t oldest = 1,
                        std::uint64_t epoch = kEpoch) {
  return {"gmo", epoch, first, count, oldest, first > 0 ? first - 1 : 0, 0, 0};
}

struct SourceLedgerTest : testing::Test {
  SourceLedger ledger;

  [[nodiscard]] Progress progress() const { return ledger.sources().at("gmo"); }
  void expect(const wire::BatchHeader& header, Verdict verdict, std::uint32_t skip = 0,
              std::uint64_t lost = 0) {
    const Decision decision = ledger.on_batch(header);
    EXPECT_EQ(decision.verdict, verdict);
    EXPECT_EQ(decision.skip, skip);
    EXPECT_EQ(decision.dropped, lost);
  }
};

TEST_F(SourceLedgerTest, takes_batches_in_order) {
  expect(batch(1, 3), Verdict::Accept);
  expect(batch(4, 1), Verdict::Accept);
  EXPECT_EQ(progress().accepted, 4U);
  EXPECT_EQ(progress().confirmed, 0U);
}

TEST_F(SourceLedgerTest, drops_what_it_has) {
  expect(batch(1, 3), Verdict::Accept);
  expect(batch(1, 3), Verdict::Duplicate);
  expect(batch(2, 1), Verdict::Duplicate);
  EXPECT_EQ(progress().accepted, 3U);
}

TEST_F(SourceLedgerTest, skips_the_known_front_of_a_batch) {
  expect(batch(1, 3), Verdict::Accept);
  expect(batch(2, 4), Verdict::Accept, 2);
  EXPECT_EQ(progress().accepted, 5U);
}

TEST_F(SourceLedgerTest, notices_holes) {
  expect(batch(2, 1), Verdict::Hole);
  expect(batch(1, 1), Verdict::Accept);
  expect(batch(5, 1), Verdict::Hole);
  EXPECT_EQ(progress().accepted, 1U);
}

TEST_F(SourceLedgerTest, goes_on_behind_what_the_reader_no_longer_has) {
  expect(batch(1, 3), Verdict::Accept);
  expect(batch(10, 2, 10), Verdict::Accept, 0, 6);
  EXPECT_EQ(progress().accepted, 11U);
}

TEST_F(SourceLedgerTest, a_loss_in_front_of_a_hole_is_told_once) {
  expect(batch(8, 1, 5), Verdict::Hole, 0, 4);
  expect(batch(9, 1, 5), Verdict::Hole, 0, 0);
  expect(batch(5, 3, 5), Verdict::Accept);
}

TEST_F(SourceLedgerTest, a_batch_without_events_changes_nothing) {
  expect(batch(1, 0), Verdict::Duplicate);
  expect(batch(0, 0), Verdict::Duplicate);
  EXPECT_EQ(progress().accepted, 0U);
}

// The next reader reports that the reader before it has ended; positions sent to that reader stay true.
TEST_F(SourceLedgerTest, of_a_closed_epoch_nothing_more_is_taken) {
  expect(batch(1, 3), Verdict::Accept);
  wire::BatchHeader last_word = batch(1, 0);
  last_word.closes = true;
  expect(last_word, Verdict::Duplicate);
  EXPECT_TRUE(progress().closed);
  EXPECT_EQ(progress().accepted, 3U);
  expect(batch(4, 2), Verdict::Duplicate);  // left over in the dead reader's connection
  expect(batch(6, 1, 6), Verdict::Duplicate);
  EXPECT_EQ(progress().accepted, 3U);
  expect(batch(1, 2, 1, kEpoch + 1), Verdict::Accept);
  EXPECT_FALSE(progress().closed);
  expect(batch(4, 2), Verdict::Duplicate);
}

TEST_F(SourceLedgerTest, an_epoch_stays_closed_when_redis_comes_back) {
  expect(batch(1, 3), Verdict::Accept);
  ledger.on_confirmed("gmo", {kEpoch, 2});
  wire::BatchHeader last_word = batch(1, 0);
  last_word.closes = true;
  for (const auto& cursors : {Cursors{{"gmo", {kEpoch, 2}}}, Cursors{{"gmo", {kEpoch, 1}}}, Cursors{}}) {
    expect(last_word, Verdict::Duplicate);
    ledger.on_cursors(cursors);
    EXPECT_TRUE(progress().closed);
    EXPECT_EQ(progress().accepted, 2U);
  }
}

TEST_F(SourceLedgerTest, a_new_epoch_starts_at_one) {
  expect(batch(1, 3), Verdict::Accept);
  ledger.on_confirmed("gmo", {kEpoch, 3});
  expect(batch(1, 2, 1, kEpoch + 1), Verdict::Accept);
  EXPECT_EQ(progress().epoch, kEpoch + 1);
  EXPECT_EQ(progress().accepted, 2U);
  EXPECT_EQ(progress().confirmed, 0U);
}

// A reader that was killed leaves messages in its connection; they come in between those of its successor.
TEST_F(SourceLedgerTest, messages_of_a_dead_reader_do_not_take_its_successor_back) {
  expect(batch(1, 3), Verdict::Accept);
  expect(batch(1, 2, 1, kEpoch + 1), Verdict::Accept);
  expect(batch(4, 1), Verdict::Accept);  // the dead one's next
  expect(batch(3, 2, 1, kEpoch + 1), Verdict::Accept);
  expect(batch(4, 1), Verdict::Duplicate);
  expect(batch(1, 2, 1, kEpoch + 1), Verdict::Duplicate);
  EXPECT_EQ(progress().epoch, kEpoch + 1);
  EXPECT_EQ(progress().accepted, 4U);
}

TEST_F(SourceLedgerTest, a_dead_readers_first_message_may_come_after_its_successors) {
  expect(batch(1, 2, 1, kEpoch + 1), Verdict::Accept);
  expect(batch(1, 3), Verdict::Accept);
  expect(batch(3, 2, 1, kEpoch + 1), Verdict::Accept);
  EXPECT_EQ(progress().epoch, kEpoch + 1);
  EXPECT_EQ(progress().accepted, 4U);
  expect(batch(4, 1), Verdict::Accept);
  EXPECT_EQ(progress().epoch, kEpoch + 1);
}

// The clock was set back between two starts of a reader: its epoch is lower, and it has to be served all the
// same.
TEST_F(SourceLedgerTest, a_reader_with_a_lower_epoch_is_served) {
  expect(batch(1, 2, 1, kEpoch), Verdict::Accept);
  expect(batch(1, 2, 1, kEpoch - 1), Verdict::Accept);
  expect(batch(3, 2, 1, kEpoch - 1), Verdict::Accept);
  EXPECT_EQ(progress().epoch, kEpoch - 1);
  EXPECT_EQ(progress().accepted, 4U);
}

TEST_F(SourceLedgerTest, many_restarts_take_no_more_memory_and_serve_the_last) {
  for (std::uint64_t epoch = 1; epoch <= 1000; ++epoch) expect(batch(1, 1, 1, epoch), Verdict::Accept);
  expect(batch(2, 1, 1, 1000), Verdict::Accept);
  EXPECT_EQ(ledger.sources().size(), 1U);
}

TEST_F(SourceLedgerTest, sources_do_not_touch_each_other) {
  expect(batch(1, 3), Verdict::Accept);
  EXPECT_EQ(ledger.on_batch({"bitflyer", 5, 1, 1, 1}).verdict, Verdict::Accept);
  EXPECT_EQ(progress().accepted, 3U);
  EXPECT_EQ(ledger.sources().at("bitflyer").accepted, 1U);
}

TEST(SourceLedger, refuses_more_sources_than_its_limit) {
  SourceLedger ledger(2);
  EXPECT_EQ(ledger.on_batch({"a", 1, 1, 1, 1}).verdict, Verdict::Accept);
  EXPECT_EQ(ledger.on_batch({"b", 1, 1, 1, 1}).verdict, Verdict::Accept);
  EXPECT_EQ(ledger.on_batch({"c", 1, 1, 1, 1}).verdict, Verdict::Rejected);
  EXPECT_EQ(ledger.on_batch({"a", 1, 2, 1, 1}).verdict, Verdict::Accept);
}

TEST_F(SourceLedgerTest, a_confirmation_of_another_epoch_or_source_is_not_taken) {
  expect(batch(1, 3), Verdict::Accept);
  ledger.on_confirmed("gmo", {kEpoch + 1, 3});
  ledger.on_confirmed("other", {kEpoch, 3});
  EXPECT_EQ(progress().confirmed, 0U);
  ledger.on_confirmed("gmo", {kEpoch, 3});
  EXPECT_EQ(progress().confirmed, 3U);
}

TEST_F(SourceLedgerTest, starts_where_the_cursors_are) {
  EXPECT_TRUE(ledger.on_cursors({{"gmo", {100, 7}}}).empty());
  EXPECT_EQ(progress().accepted, 7U);
  expect(batch(6, 4, 6), Verdict::Accept, 2);
}

TEST_F(SourceLedgerTest, takes_back_what_redis_did_not_confirm) {
  expect(batch(1, 3), Verdict::Accept);
  ledger.on_confirmed("gmo", {kEpoch, 3});
  expect(batch(4, 3), Verdict::Accept);
  EXPECT_TRUE(ledger.on_cursors({{"gmo", {100, 3}}}).empty());
  EXPECT_EQ(progress().accepted, 3U);
}

TEST_F(SourceLedgerTest, believes_redis_that_a_commit_without_answer_went_through) {
  expect(batch(1, 3), Verdict::Accept);
  EXPECT_TRUE(ledger.on_cursors({{"gmo", {100, 3}}}).empty());
  EXPECT_EQ(progress().accepted, 3U);
  EXPECT_EQ(progress().confirmed, 3U);
}

// Nothing of the reader ever reached Redis: it must stay known, or no position would tell it to send again.
TEST_F(SourceLedgerTest, a_source_without_a_cursor_stays_known) {
  expect(batch(1, 3), Verdict::Accept);
  EXPECT_TRUE(ledger.on_cursors({}).empty());
  EXPECT_EQ(progress().epoch, kEpoch);
  EXPECT_EQ(progress().accepted, 0U);
}

TEST_F(SourceLedgerTest, a_cursor_of_the_readers_last_epoch_does_not_hide_the_present_one) {
  expect(batch(1, 3), Verdict::Accept);
  EXPECT_TRUE(ledger.on_cursors({{"gmo", {99, 7}}}).empty());
  EXPECT_EQ(progress().epoch, kEpoch);
  EXPECT_EQ(progress().accepted, 0U);
}

TEST_F(SourceLedgerTest, names_the_sources_of_which_redis_lost_data_and_goes_on_from_what_was_confirmed) {
  expect(batch(1, 3), Verdict::Accept);
  ledger.on_confirmed("gmo", {kEpoch, 3});
  EXPECT_EQ(ledger.on_cursors({{"gmo", {100, 1}}}), std::vector<std::string>{"gmo"});
  EXPECT_EQ(progress().accepted, 3U);
  EXPECT_EQ(ledger.on_cursors({}), std::vector<std::string>{"gmo"});
  EXPECT_EQ(progress().accepted, 3U);
  expect(batch(4, 1, 4), Verdict::Accept);
}

TEST_F(SourceLedgerTest, positions_say_what_redis_lost) {
  expect(batch(1, 3), Verdict::Accept);
  ledger.on_confirmed("gmo", {kEpoch, 3});
  ledger.on_cursors({{"gmo", {100, 1}}});
  EXPECT_EQ(progress().lost_after, 1U);
  EXPECT_EQ(progress().lost_to, 3U);
  ledger.on_cursors({{"gmo", {100, 5}}});
  EXPECT_EQ(progress().lost_to, 3U) << "said again until the reader has heard it";
}

// Publisher and Redis restarted together: only the reader knows what was confirmed.
TEST_F(SourceLedgerTest, a_reader_knows_what_an_empty_redis_had_confirmed) {
  wire::BatchHeader header = batch(5, 0, 5);
  header.confirmed = 4;
  const Decision decision = ledger.on_batch(header);
  EXPECT_EQ(decision.verdict, Verdict::Duplicate);
  EXPECT_EQ(decision.lost_redis, 4U);
  EXPECT_EQ(decision.dropped, 0U);
  EXPECT_EQ(progress().lost_after, 0U);
  EXPECT_EQ(progress().lost_to, 4U);
  header = batch(5, 2, 5);
  header.confirmed = 4;
  const Decision next = ledger.on_batch(header);
  EXPECT_EQ(next.verdict, Verdict::Accept);
  EXPECT_EQ(next.lost_redis, 0U) << "found once";
}

TEST_F(SourceLedgerTest, goes_on_behind_events_that_the_reader_dropped_from_its_middle) {
  expect(batch(1, 3), Verdict::Accept);
  wire::BatchHeader report = batch(9, 2);
  report.follows = 5;
  expect(report, Verdict::Hole);
  expect(batch(4, 2), Verdict::Accept);
  expect(report, Verdict::Accept, 0, 3);
  expect(report, Verdict::Duplicate);
  EXPECT_EQ(progress().accepted, 10U);
}

constexpr std::int64_t kSecondNs = 1'000'000'000;

TEST_F(SourceLedgerTest, what_a_dead_reader_left_behind_is_no_second_reader) {
  constexpr std::uint64_t kSuccessor = kEpoch + 10 * kSecondNs;
  expect(batch(1, 3), Verdict::Accept);
  expect(batch(1, 1, 1, kSuccessor), Verdict::Accept);
  wire::BatchHeader straggler = batch(4, 1);
  straggler.sent_ns = static_cast<std::int64_t>(kSuccessor);
  expect(straggler, Verdict::Accept);
  EXPECT_EQ(progress().epoch, kSuccessor);
}

TEST_F(SourceLedgerTest, a_second_living_reader_of_a_name_is_refused_and_the_first_goes_on) {
  constexpr std::uint64_t kSecond = kEpoch + 10 * kSecondNs;
  expect(batch(1, 3), Verdict::Accept);
  expect(batch(1, 1, 1, kSecond), Verdict::Accept);
  wire::BatchHeader living = batch(4, 1);
  living.sent_ns = static_cast<std::int64_t>(kSecond) + 6 * kSecondNs;
  const Decision decision = ledger.on_batch(living);
  EXPECT_TRUE(decision.found_duplicate_reader);
  EXPECT_EQ(decision.verdict, Verdict::Accept);
  EXPECT_EQ(progress().epoch, kEpoch);
  EXPECT_FALSE(progress().is_duplicate_reader);
  expect(batch(2, 1, 1, kSecond), Verdict::Rejected);
  ASSERT_EQ(ledger.past().at("gmo").size(), 1U);
  EXPECT_TRUE(ledger.past().at("gmo").front().is_duplicate_reader);
  expect(batch(5, 1), Verdict::Accept);
}

TEST_F(SourceLedgerTest, skips_a_cursor_whose_source_has_a_name_that_is_too_long) {
  EXPECT_TRUE(ledger.on_cursors({{std::string(200, 'x'), {1, 1}}}).empty());
  EXPECT_TRUE(ledger.sources().empty());
}

}  // namespace
}  // namespace mdpipe::publisher

// What becomes of a transaction's counts: answered, refused in part, unheard and found in Redis, unheard and
// not found; and that counting takes no memory per transaction. operator new is counted in this program, so
// it stands alone.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "md-publisher/publisher_metrics.hpp"
#include "tests/support/counting_new.hpp"

namespace mdpipe::publisher {
namespace {

class PendingCountsTest : public testing::Test {
 protected:
  PendingCountsTest() {
    char name[] = "/tmp/mdpipe-pending-XXXXXX";
    folder_ = mkdtemp(name);
    start();
  }
  ~PendingCountsTest() override { std::filesystem::remove_all(folder_); }

  // A run of md-publisher's counting; the run before ends as by a kill.
  void start() {
    metrics_.reset();
    streams_.reset();
    collector_.reset();
    metrics::CollectorOptions options;
    options.component = options.source = "md-publisher";
    options.counter_file = folder_ + "/counters";
    options.pending_max = 1000;
    collector_ = std::make_unique<metrics::MetricsCollector>(options);
    metrics_ = std::make_unique<PublisherMetrics>(*collector_, "");
    transaction_ = Transaction();  // it knows the streams of one table only
    streams_ = std::make_unique<StreamTable>(StreamNaming::parse("md:{type}").value(),
                                             TrimPolicy::parse("0").value(), *collector_);
  }
  void fill(Transaction& transaction, int events, std::uint64_t seq) {
    transaction.clear();
    for (int i = 0; i < events; ++i) {
      symbol_ = static_cast<char>('A' + i % 20);
      transaction.add(*streams_->find("trade", "gmo", {&symbol_, 1}), "$1\r\na\r\n$1\r\nb\r\n", 2,
                      wall_now());
    }
    transaction.set_cursor("gmo", {7, seq});
    transaction.seal({"md:cursor", "md:state"}, StreamLengths(), steady_now());
  }
  std::uint64_t published() { return collector_->total(streams_->find("trade", "gmo", "A")->published); }
  std::uint64_t bytes() { return collector_->total(streams_->find("trade", "gmo", "A")->bytes); }

  std::string folder_;
  char symbol_ = 'A';
  std::unique_ptr<metrics::MetricsCollector> collector_;
  std::unique_ptr<PublisherMetrics> metrics_;
  std::unique_ptr<StreamTable> streams_;
  Transaction transaction_;
};

TEST_F(PendingCountsTest, an_answered_transaction_is_counted_once_it_is_answered) {
  fill(transaction_, 40, 40);
  metrics_->sending(transaction_);
  EXPECT_EQ(published(), 0U);
  metrics_->committed(transaction_, {}, wall_now());
  EXPECT_EQ(published(), 2U);
  EXPECT_EQ(bytes(), 2U * transaction_.entries()[0].bytes);
}

TEST_F(PendingCountsTest, a_refused_entry_is_dropped_and_not_published) {
  fill(transaction_, 40, 40);
  metrics_->sending(transaction_);
  Outcome outcome;
  outcome.refused.push_back({&transaction_.entries()[20], "WRONGTYPE"});
  metrics_->committed(transaction_, outcome, wall_now());
  EXPECT_EQ(published(), 1U);
  EXPECT_EQ(bytes(), transaction_.entries()[0].bytes);
}

TEST_F(PendingCountsTest, an_unheard_transaction_that_redis_holds_is_counted_by_the_next_life) {
  fill(transaction_, 40, 40);
  metrics_->sending(transaction_);
  start();
  metrics_->decide_pending({{"other", {7, 99}}, {"gmo", {7, 40}}});
  EXPECT_EQ(published(), 2U);
  metrics_->decide_pending({{"gmo", {7, 40}}});
  EXPECT_EQ(published(), 2U);
}

TEST_F(PendingCountsTest, one_that_redis_does_not_hold_is_not_counted) {
  for (const Cursors& cursors :
       {Cursors{{"gmo", {7, 39}}}, Cursors{{"gmo", {6, 99}}}, Cursors{{"gmo", {8, 99}}}, Cursors{}}) {
    fill(transaction_, 40, 40);
    metrics_->sending(transaction_);
    start();
    metrics_->decide_pending(cursors);
    metrics_->decide_pending({{"gmo", {7, 40}}});  // what comes later was not this transaction's
    EXPECT_EQ(published(), 0U) << (cursors.empty() ? "no cursor" : format_cursor(cursors.at("gmo")));
  }
}

TEST_F(PendingCountsTest, a_lost_connection_is_decided_by_the_same_life) {
  fill(transaction_, 40, 40);
  metrics_->sending(transaction_);
  transaction_.clear();  // as App does when the connection is lost
  metrics_->decide_pending({{"gmo", {7, 40}}});
  EXPECT_EQ(published(), 2U);
}

// A transaction that was kept and written again, after the cursors had said that Redis does not hold it.
TEST_F(PendingCountsTest, an_answer_counts_also_where_the_noted_counts_were_given_up) {
  fill(transaction_, 40, 40);
  metrics_->sending(transaction_);
  metrics_->decide_pending({{"gmo", {7, 39}}});
  metrics_->committed(transaction_, {}, wall_now());
  EXPECT_EQ(published(), 2U);
}

TEST_F(PendingCountsTest, a_transaction_without_cursors_is_counted_with_its_answer_only) {
  transaction_.clear();
  transaction_.add(*streams_->find("trade", "gmo", "A"), "$1\r\na\r\n$1\r\nb\r\n", 2, wall_now());
  metrics_->sending(transaction_);
  metrics_->committed(transaction_, {}, wall_now());
  EXPECT_EQ(published(), 1U);
  metrics_->sending(transaction_);
  start();
  metrics_->decide_pending({{"gmo", {7, 40}}});
  EXPECT_EQ(published(), 1U);
}

TEST_F(PendingCountsTest, counting_a_transaction_allocates_nothing) {
  fill(transaction_, 1000, 1);
  const auto round = [this] {
    metrics_->sending(transaction_);
    metrics_->committed(transaction_, {}, wall_now());
  };
  round();
  const std::size_t before = allocations;
  const auto begin = steady_now();
  constexpr int kRounds = 200;
  for (int i = 0; i < kRounds; ++i) round();
  const auto spent = steady_now() - begin;
  EXPECT_EQ(allocations - before, 0U);
  RecordProperty("ns_per_event", static_cast<int>(spent.count() / (kRounds * 1000)));
}

}  // namespace
}  // namespace mdpipe::publisher

// Goal: an event's way through md-publisher takes no memory from the heap once buffers have grown. Method:
// calls of operator new are counted while batches become transactions and answers become counts. The memory
// that a transaction needs (for its cursor, say) must not grow with the events in it.
#include <gtest/gtest.h>

#include <string>

#include "libshared/wire/event_codec.hpp"
#include "md-publisher/publisher_metrics.hpp"
#include "md-publisher/redis/reply_reader.hpp"
#include "md-publisher/transaction/batch_writer.hpp"
#include "md-publisher/transaction/outcome.hpp"
#include "tests/support/counting_new.hpp"

namespace mdpipe::publisher {
namespace {

constexpr int kTransactions = 200;
constexpr SteadyTime kNow{std::chrono::hours(1)};

class Way {
 public:
  explicit Way(std::uint32_t events) : events_(events) {
    const std::vector<Level> levels(20, Level{"1200300.5", "0.25"});
    wire::begin_batch(batch_);
    for (std::uint32_t i = 0; i < events; ++i) {
      Event event{"gmo", i % 2 == 0 ? "BTC_JPY" : "ETH_JPY", UnixNanos{1}, UnixNanos{2}, Ticker{}};
      if (i % 3 == 0) event.body = Ticker{"1", "2", "3", "4", "5", "6"};
      if (i % 3 == 1) event.body = Trade{"1200300", "0.01", Side::Buy, "17"};
      if (i % 3 == 2)
        event.body =
            OrderBook{BookKind::Snapshot, {levels.data(), levels.size()}, {levels.data(), levels.size()}, {}};
      wire::encode_event(event, i + 1, batch_);
    }
    wire::seal_batch(batch_, events);
    answer_ = "*" + std::to_string(events + 1) + "\r\n";
    for (std::uint32_t i = 0; i < events; ++i) answer_ += "$17\r\n1790133947766-100\r\n";
    answer_ += ":0\r\n";
  }

  void run(int transactions) {
    for (int i = 0; i < transactions; ++i) {
      transaction_.clear();
      written_ += writer_.write(batch_.view(), 0, events_, transaction_).added;
      transaction_.set_cursor("gmo", {7, written_});
      metrics_.sending(transaction_);
      transaction_.seal({"md:cursor", "md:state"}, lengths_, kNow);
      replies_.feed(answer_);
      ASSERT_EQ(replies_.next(), ReplyReader::Next::Reply);
      const auto outcome = read_outcome(replies_.reply(), transaction_, lengths_, kNow);
      ASSERT_TRUE(outcome);
      metrics_.committed(transaction_, *outcome, UnixNanos{3});
    }
  }

  [[nodiscard]] std::uint64_t written() const { return written_; }

 private:
  std::uint32_t events_;
  wire::ByteBuffer batch_;
  std::string answer_;
  metrics::MetricsCollector collector_{{"md-publisher", "p", "", true, 1000}};
  PublisherMetrics metrics_{collector_, ""};
  StreamTable streams_{StreamNaming::parse("md:{type}").value(), TrimPolicy::parse("100000").value(),
                       collector_};
  BatchWriter writer_{streams_, EntryFormat::Fields};
  StreamLengths lengths_;
  Transaction transaction_;
  ReplyReader replies_;
  std::uint64_t written_ = 0;
};

std::size_t allocations_of(std::uint32_t events) {
  Way way(events);
  way.run(10);  // buffers grow
  const std::size_t before = allocations;
  way.run(kTransactions);
  const std::size_t taken = allocations - before;
  EXPECT_EQ(way.written(), std::uint64_t{events} * (kTransactions + 10));
  return taken;
}

TEST(Publisher, an_event_allocates_nothing_in_steady_state) {
  const std::size_t few = allocations_of(3);
  EXPECT_EQ(allocations_of(300), few);
  EXPECT_LE(few, std::size_t{4} * kTransactions) << "a transaction's own";
}

}  // namespace
}  // namespace mdpipe::publisher

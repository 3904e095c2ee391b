// Goal: every event reaches "Redis" exactly once and in order, whatever is lost on the way. Method: an Outbox
// talks to a publisher made of the real SourceLedger over a simulated link that loses batches and positions;
// the simulated Redis loses its connection, with and without having committed, and the publisher is killed
// and starts again from the cursor. Faults stop at some point; then everything has to arrive. The seed is in
// the failure message and can be replayed.
#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "md-publisher/redis/cursor.hpp"
#include "md-publisher/source_ledger.hpp"
#include "tests/unit/ws-reader/outbox/outbox_support.hpp"

namespace mdpipe::reader {
namespace {

using publisher::SourceLedger;
using publisher::Verdict;

struct Message {
  wire::BatchHeader header;
  std::vector<std::uint64_t> seqs;
};

// What survives every crash: entries and cursor, written together.
struct StableRedis {
  std::vector<std::uint64_t> entries;
  publisher::Cursors cursors;
};

class Publisher {
 public:
  explicit Publisher(StableRedis& redis, std::uint64_t instance) : redis_(redis), instance_(instance) {}

  void reach_redis() {
    up_ = true;
    filling_.clear();
    EXPECT_TRUE(ledger_.on_cursors(redis_.cursors).empty());
  }
  void lose_redis() {
    up_ = false;
    filling_.clear();
  }
  [[nodiscard]] bool is_up() const { return up_; }

  void take(const Message& message) {
    const auto decision = ledger_.on_batch(message.header);
    EXPECT_EQ(decision.dropped + decision.lost_redis, 0U);
    if (decision.verdict != Verdict::Accept) return;
    filling_.insert(filling_.end(), message.seqs.begin() + decision.skip, message.seqs.end());
    epoch_ = message.header.epoch;
    last_ = message.header.first_seq + message.header.count - 1;
  }

  // The transaction reaches Redis; its answer may not come back.
  void commit(bool answer_arrives) {
    if (filling_.empty()) return;
    redis_.entries.insert(redis_.entries.end(), filling_.begin(), filling_.end());
    redis_.cursors["gmo"] = {epoch_, last_};
    filling_.clear();
    if (answer_arrives) {
      ledger_.on_confirmed("gmo", {epoch_, last_});
    } else {
      lose_redis();
    }
  }

  [[nodiscard]] std::vector<wire::Position> positions() const {
    std::vector<wire::Position> out{{instance_, 0, 0, 0, up_}};
    for (const auto& [source, progress] : ledger_.sources()) {
      out.push_back({instance_, progress.epoch, progress.confirmed, progress.accepted, up_});
    }
    return out;
  }

 private:
  StableRedis& redis_;
  std::uint64_t instance_;
  SourceLedger ledger_;
  std::vector<std::uint64_t> filling_;
  std::uint64_t epoch_ = 0, last_ = 0;
  bool up_ = false;
};

class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed) { restart_publisher(); }

  // One turn of all parts; `faults` in a thousand for each thing that can go wrong.
  void turn(unsigned faults, bool events) {
    now_ = now_ + std::chrono::milliseconds(50);
    if (events) produce();
    while (const Batch* batch = outbox_.next()) {
      if (!happens(faults)) link_.push_back({outbox_.header(*batch, now_.wall), seqs(batch->payload.view())});
      outbox_.mark_sent(now_);
    }
    if (happens(faults / 4)) restart_publisher();
    if (happens(faults / 4)) publisher_->lose_redis();
    if (!publisher_->is_up()) {
      if (happens(300) || faults == 0) publisher_->reach_redis();
    } else {
      serve(faults);
    }
    for (const auto& position : publisher_->positions()) {
      if (!happens(faults * 2)) outbox_.on_position(position, now_);
    }
  }

  [[nodiscard]] const Outbox& outbox() const { return outbox_; }
  [[nodiscard]] const StableRedis& redis() const { return redis_; }

 private:
  bool happens(unsigned in_a_thousand) { return random_() % 1000 < in_a_thousand; }

  void produce() {
    for (auto n = random_() % 4; n > 0; --n) outbox_.append(trade(), now_);
    if (!happens(200)) outbox_.flush(now_);
  }
  void restart_publisher() {
    link_.clear();
    publisher_ = std::make_unique<Publisher>(redis_, ++instance_);
  }
  void serve(unsigned faults) {
    for (auto n = random_() % 8; n > 0 && !link_.empty(); --n) {
      publisher_->take(link_.front());
      link_.pop_front();
    }
    if (happens(500)) publisher_->commit(!happens(faults));
  }

  std::mt19937_64 random_;
  Moment now_{UnixNanos{1'700'000'000'000'000'000}, SteadyTime(std::chrono::hours(1))};
  StableRedis redis_;
  Outbox outbox_{"gmo", 77, {64U << 20U, 300, 3000}, now_};
  std::deque<Message> link_;
  std::unique_ptr<Publisher> publisher_;
  std::uint64_t instance_ = 0;

 public:
  void flush() { outbox_.flush(now_); }
};

TEST(OutboxAndLedger, deliver_every_event_exactly_once_in_order_through_losses_and_restarts) {
  constexpr std::uint64_t kSeeds = 400;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    World world(seed);
    for (int i = 0; i < 200; ++i) world.turn(40, true);
    world.flush();
    int calm = 0;
    for (; calm < 400 && !world.outbox().everything_confirmed(); ++calm) world.turn(0, false);
    ASSERT_TRUE(world.outbox().everything_confirmed()) << "nothing moves any more";
    ASSERT_EQ(world.redis().entries, numbers(1, world.outbox().last_seq()));
  }
}

// A short burst and then silence: no later event makes a hole that would be noticed.
TEST(OutboxAndLedger, deliver_the_last_events_of_a_quiet_reader) {
  constexpr std::uint64_t kSeeds = 2000;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    World world(seed);
    for (int i = 0; i < 3; ++i) world.turn(200, true);
    world.flush();
    for (int i = 0; i < 10; ++i) world.turn(200, false);
    for (int i = 0; i < 400 && !world.outbox().everything_confirmed(); ++i) world.turn(0, false);
    ASSERT_TRUE(world.outbox().everything_confirmed()) << "nothing moves any more";
    ASSERT_EQ(world.redis().entries, numbers(1, world.outbox().last_seq()));
  }
}

}  // namespace
}  // namespace mdpipe::reader

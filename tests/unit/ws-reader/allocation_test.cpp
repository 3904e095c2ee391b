// Goal: the way of a frame through ws-reader takes no memory from the heap once buffers have grown. Method:
// operator new is counted in this program while 10,000 frames of each exchange pass adapter, pipeline and
// outbox. The same for a checked book.
#include <gtest/gtest.h>

#include "tests/support/counting_new.hpp"
#include "tests/unit/ws-reader/books/book_support.hpp"
#include "tests/unit/ws-reader/venues/frames.hpp"
#include "ws-reader/pipeline.hpp"

namespace mdpipe::reader {
namespace {

constexpr int kFrames = 10'000;
constexpr int kFramesPerTurn = 3;  // events of one loop turn share a batch

// The market-data frames of one exchange through the parts they pass in the program.
class Way final : private FeedSink {
 public:
  explicit Way(const std::string& exchange)
      : adapter_(venues::make_adapter(exchange)),
        collector_({"ws-reader", exchange, exchange, true, 20'000}),
        metrics_(collector_, exchange, {}),
        outbox_(exchange, 1, {}, {}),
        feeds_(subscriptions(*adapter_, exchange), venues::kStaleAfter, *this),
        writer_({outbox_, metrics_}, [this] { writer_.on_flush(); }),
        pipeline_({*adapter_, metrics_, writer_, &feeds_}, {}) {
    feeds_.start({venues::kReceived, SteadyTime()});
    feeds_.on_connected({venues::kReceived, SteadyTime()});
    for (auto& [name, frame] : venues::frame_files(exchange)) {
      if (venues::read_frame(*adapter_, frame).result.kind == venues::FrameKind::Events)
        frames_.push_back(frame);
    }
  }

  void run(int frames) {
    for (int i = 0; i < frames; ++i) {
      pipeline_.on_frame(frames_[static_cast<std::size_t>(i) % frames_.size()], {venues::kReceived, now_});
      if (i % kFramesPerTurn == 0) end_turn();
    }
  }

  [[nodiscard]] std::uint64_t events() const { return pipeline_.totals().events; }

 private:
  // Every feed that the recorded frames are of.
  static std::vector<venues::Subscription> subscriptions(venues::Adapter& adapter,
                                                         const std::string& exchange) {
    std::vector<venues::Subscription> found;
    for (auto& [name, frame] : venues::frame_files(exchange)) {
      for (const auto& event : venues::read_frame(adapter, frame).events)
        found.push_back({event.type, event.symbol});
    }
    return found;
  }
  void on_feed(std::size_t, const FeedChange&, Moment) override {}
  bool resubscribe(std::size_t) override { return true; }
  void reconnect(std::string_view) override {}

  void end_turn() {
    now_ += FeedMonitor::kTickInterval;
    feeds_.tick({venues::kReceived, now_});
    outbox_.flush({venues::kReceived, now_});
    while (outbox_.next() != nullptr) {
      outbox_.mark_sent({});
      outbox_.confirm_sent({});
    }
  }

  std::unique_ptr<venues::Adapter> adapter_;
  metrics::MetricsCollector collector_;
  ReaderMetrics metrics_;
  Outbox outbox_;
  FeedMonitor feeds_;
  EventWriter writer_;
  Pipeline pipeline_;
  SteadyTime now_{};
  std::vector<std::string> frames_;
};

TEST(Way, of_a_frame_allocates_nothing_in_steady_state) {
  for (const std::string& exchange : venues::exchange_names()) {
    Way way(exchange);
    way.run(kFrames / 10);
    const std::size_t before = allocations;
    const std::uint64_t events_before = way.events();
    way.run(kFrames);
    const auto taken = allocations - before;
    const auto events = way.events() - events_before;
    RecordProperty(exchange + "_allocations", static_cast<int>(taken));
    EXPECT_GT(events, 0U) << exchange;
    EXPECT_EQ(taken, 0U) << exchange << ": " << taken << " allocations for " << events << " events";
  }
}

class CountingSink final : public BookSink {
 public:
  void publish(const Event&, Moment) override { ++published; }
  void drop(std::string_view, DropReason, std::uint64_t count) override { dropped += count; }
  void gap(std::string_view, std::string_view, std::optional<std::uint64_t>, Moment) override {}
  void recovered(std::string_view, Moment) override {}
  void request_snapshot(std::string_view) override {}
  void resubscribe(std::string_view) override {}
  std::uint64_t published = 0, dropped = 0;
};

TEST(Way, of_a_checked_order_book_allocates_nothing_in_steady_state) {
  CountingSink sink;
  BookGuard guard(venues::BookRecipe::SnapshotChannel, sink);
  std::vector<OwnedBook> books;
  Pairs bids;
  Pairs asks;
  for (int i = 0; i < 300; ++i) {
    bids.emplace_back(std::to_string(9'000'000 - i) + ".0", "0.1");
    asks.emplace_back(std::to_string(9'000'002 + 2 * i) + ".0", "0.1");
  }
  books.push_back(snapshot(bids, asks));
  for (int i = 0; i < 200; ++i)
    books.push_back(delta({{bids[static_cast<std::size_t>(i)].first, i % 3 == 1 ? "0.0" : "3.5"}},
                          {{std::to_string(9'000'003 + 2 * i) + ".0", "1.0"}}));
  books.push_back(delta({{"9999999.0", "1.0"}}, {}));  // crosses it
  books.push_back(delta({}, {}));
  std::vector<Event> events;
  for (const OwnedBook& book : books) events.push_back(book.event());
  const auto run = [&] {
    for (const Event& event : events) guard.on_book(event, {});
  };
  run();
  const std::size_t before = allocations;
  for (int i = 0; i < 50; ++i) run();
  EXPECT_EQ(allocations - before, 0U);
  EXPECT_EQ(sink.published, 51U * 201U);
  EXPECT_EQ(sink.dropped, 51U * 2U);
}

}  // namespace
}  // namespace mdpipe::reader

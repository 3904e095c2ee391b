#include "ws-reader/pipeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/ws-reader/scripted_adapter.hpp"

namespace mdpipe::reader {
namespace {

constexpr Moment kNow{UnixNanos{1}, SteadyTime(std::chrono::hours(1))};

struct PipelineTest : testing::Test {
  metrics::MetricsCollector collector{{"ws-reader", "test", "test", true, 100}};
  ScriptedAdapter adapter;
  ReaderMetrics reader_metrics{collector, "test", {}};
  Outbox outbox{"test", 1, {}, {}};
  int events_seen = 0;
  // Each event ends its loop turn, so that each one asks for a flush.
  EventWriter writer{{outbox, reader_metrics}, [this] {
                       ++events_seen;
                       writer.on_flush();
                     }};

  Pipeline make(const std::vector<std::string>& symbols) {
    return Pipeline({adapter, reader_metrics, writer}, symbols);
  }
  std::uint64_t count(metrics::Metric metric, std::initializer_list<std::string_view> labels) {
    return collector.total(collector.series(metric, labels));
  }
};

TEST_F(PipelineTest, keeps_events_of_the_symbols_that_were_asked_for) {
  Pipeline pipeline = make({"BTC", "ETH"});
  pipeline.on_frame("BTC XRP ETH", kNow);
  EXPECT_EQ(pipeline.totals().events, 2U);
  EXPECT_EQ(pipeline.totals().unknown_symbols, 1U);
  EXPECT_EQ(outbox.last_seq(), 2U);
  EXPECT_EQ(events_seen, 2);
  EXPECT_EQ(count(metrics::Metric::Errors, {"ws-reader", "unknown_symbol"}), 1U);
}

TEST_F(PipelineTest, takes_every_symbol_where_none_is_named) {
  Pipeline pipeline = make({});
  pipeline.on_frame("BTC XRP ETH", kNow);
  EXPECT_EQ(pipeline.totals().events, 3U);
}

TEST_F(PipelineTest, what_still_comes_of_an_ended_feed_is_neither_kept_nor_a_fault) {
  Pipeline pipeline = make({"BTC", "ETH"});
  pipeline.end_feeds({{EventType::Trade, "BTC"}, {EventType::Ticker, "ETH"}}, kNow);
  pipeline.on_frame("BTC XRP ETH", kNow);
  EXPECT_EQ(pipeline.totals().events, 1U) << "of ETH another channel ended";
  EXPECT_EQ(pipeline.totals().no_longer_wanted, 1U);
  EXPECT_EQ(pipeline.totals().unknown_symbols, 1U);
  EXPECT_EQ(count(metrics::Metric::MessagesReceived, {"test", "trade", "BTC"}), 0U);
  pipeline.begin_feeds({{EventType::Trade, "BTC"}, {EventType::Trade, "XRP"}});
  pipeline.on_frame("BTC XRP ETH", kNow);
  EXPECT_EQ(pipeline.totals().events, 4U);
  EXPECT_EQ(outbox.last_seq(), 4U);
}

TEST_F(PipelineTest, a_frames_bytes_are_counted_once) {
  Pipeline pipeline = make({});
  pipeline.on_frame("BTC ETH", kNow);
  EXPECT_EQ(count(metrics::Metric::ReceivedBytes, {"test", "trade", "BTC"}), 7U);
  EXPECT_EQ(count(metrics::Metric::ReceivedBytes, {"test", "trade", "ETH"}), 0U);
}

TEST_F(PipelineTest, the_totals_tell_frames_apart) {
  Pipeline pipeline = make({});
  for (const auto* frame : {"control", "other", "other", "error", "bad", "BTC", ""})
    pipeline.on_frame(frame, kNow);
  const auto& totals = pipeline.totals();
  EXPECT_EQ(totals.frames, 7U);
  EXPECT_EQ(totals.control, 1U);
  EXPECT_EQ(totals.other, 2U);
  EXPECT_EQ(totals.api_errors, 1U);
  EXPECT_EQ(totals.rejected, 1U);
  EXPECT_EQ(totals.events, 1U);
}

struct CheckedBooks : PipelineTest, FeedSink {
  std::vector<std::string> told;
  FeedMonitor feeds{{{EventType::OrderBook, "BTC"}}, venues::kStaleAfter, *this};

  void on_feed(std::size_t, const FeedChange& change, Moment) override {
    told.push_back(std::string(to_string(change.state)) + ": " + std::string(change.reason));
  }
  bool resubscribe(std::size_t) override { return true; }
  void reconnect(std::string_view) override {}

  void check(Pipeline& pipeline) {
    const auto tell = [this](const std::string& what) {
      return [this, what](std::string_view symbol) { told.push_back(what + " " + std::string(symbol)); };
    };
    BookCallbacks callbacks;
    callbacks.request_snapshot = tell("fetch");
    callbacks.resubscribe = tell("resubscribe");
    pipeline.check_books(std::move(callbacks));
  }
  std::uint64_t dropped(DropReason why) {
    return count(metrics::Metric::DroppedEvents, {"ws-reader", "test", "orderbook", "BTC", to_string(why)});
  }
};

TEST_F(CheckedBooks, a_book_that_cannot_be_right_is_counted_and_goes_nowhere) {
  Pipeline pipeline({adapter, reader_metrics, writer, &feeds}, {});
  check(pipeline);
  feeds.on_connected({});
  told.clear();
  for (const char* frame : {"book 7 8", "book 9 8", "BTC", "book 7 8"}) pipeline.on_frame(frame, kNow);
  EXPECT_EQ(told, (std::vector<std::string>{"gap: reader started", "live: data", "gap: crossed",
                                            "live: whole again"}));
  EXPECT_EQ(pipeline.totals().events, 4U);
  EXPECT_EQ(outbox.last_seq(), 3U);
  EXPECT_EQ(events_seen, 3);
  EXPECT_EQ(dropped(DropReason::CrossedBook), 1U);
  EXPECT_EQ(count(metrics::Metric::MessagesReceived, {"test", "orderbook", "BTC"}), 3U);
}

TEST_F(CheckedBooks, unchecked_every_book_passes) {
  Pipeline pipeline = make({});
  pipeline.on_frame("book 9 8", kNow);
  EXPECT_EQ(outbox.last_seq(), 1U);
}

TEST_F(CheckedBooks, a_fetched_book_counts_as_received_and_lets_the_deltas_through) {
  adapter.seed_books();
  Pipeline pipeline = make({});
  check(pipeline);
  pipeline.on_frame("book 7 8 delta", kNow);
  EXPECT_EQ(told, std::vector<std::string>{"fetch BTC"});
  EXPECT_EQ(pipeline.held_events(), 1U);
  EXPECT_EQ(pipeline.on_book_snapshot("BTC", "bad", kNow).reason, "no book");
  EXPECT_EQ(outbox.last_seq(), 0U);
  EXPECT_TRUE(pipeline.on_book_snapshot("BTC", "6 8", kNow).reason.empty());
  EXPECT_EQ(outbox.last_seq(), 1U);
  EXPECT_EQ(dropped(DropReason::StaleDelta), 1U);
  EXPECT_EQ(count(metrics::Metric::MessagesReceived, {"test", "orderbook", "BTC"}), 2U);
  pipeline.on_frame("BTC", kNow);
  EXPECT_EQ(outbox.last_seq(), 2U) << "trades are not its business";
}

TEST_F(PipelineTest, hands_on_what_the_adapter_said) {
  EXPECT_EQ(make({}).on_frame("bad", kNow).reason, "no sense");
}

TEST_F(PipelineTest, what_data_changes_about_a_feed_is_told_before_it) {
  struct Sink final : FeedSink {
    EventWriter* writer = nullptr;
    std::vector<FeedState> states;
    void on_feed(std::size_t, const FeedChange& change, Moment now) override {
      states.push_back(change.state);
      writer->write({"test", "BTC", UnixNanos{}, now.wall, change}, now);
    }
    bool resubscribe(std::size_t) override { return true; }
    void reconnect(std::string_view) override {}
  } sink;
  FeedMonitor feeds({{EventType::Trade, "BTC"}}, venues::kStaleAfter, sink);
  Pipeline pipeline({adapter, reader_metrics, writer, &feeds}, {"BTC"});
  sink.writer = &writer;
  feeds.on_connected({});
  pipeline.on_frame("BTC XRP", kNow);
  EXPECT_THAT(sink.states, testing::ElementsAre(FeedState::Gap, FeedState::Live));
  EXPECT_EQ(pipeline.totals().events, 1U);
  EXPECT_EQ(count(metrics::Metric::MessagesReceived, {"test", "feed", "BTC"}), 0U)
      << "not read from the exchange";
  outbox.flush({});
  EXPECT_EQ(outbox.next()->count, 3U);
  EXPECT_NE(outbox.next()->payload.view().rfind("trade"), std::string_view::npos);
  EXPECT_EQ(outbox.last_seq(), 3U);
}

}  // namespace
}  // namespace mdpipe::reader

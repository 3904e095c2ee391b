#include "ws-reader/pipeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/ws-reader/outbox_support.hpp"

namespace mdpipe::reader {
namespace {

// "3 BTC ETH X" is a frame with an event for each symbol; other frames are what their first word says.
class ScriptedAdapter final : public venues::Adapter {
 public:
  [[nodiscard]] const venues::Profile& profile() const override { return profile_; }
  [[nodiscard]] std::vector<venues::Request> subscribe(const std::vector<venues::Subscription>&,
                                                       std::uint64_t) const override {
    return {};
  }
  venues::FrameResult on_frame(std::string_view frame, UnixNanos, venues::EventSink& sink) override {
    if (frame == "control") return venues::FrameResult::control();
    if (frame == "other") return venues::FrameResult::other();
    if (frame == "error") return venues::FrameResult::api_error();
    if (frame == "bad") return venues::FrameResult::rejected("no sense");
    while (!frame.empty()) {
      const std::size_t end = std::min(frame.find(' '), frame.size());
      Event event = trade();
      event.symbol = frame.substr(0, end);
      sink.on_event(event);
      frame.remove_prefix(std::min(end + 1, frame.size()));
    }
    return venues::FrameResult::events();
  }

 private:
  venues::Profile profile_{"test", "wss://test", {}, false, {}};
};

struct PipelineTest : testing::Test {
  metrics::MetricsCollector collector{{"ws-reader", "test", "test", true, 100}};
  ScriptedAdapter adapter;
  ReaderMetrics reader_metrics{collector, "test", {}};
  Outbox outbox{"test", 1, {}};
  int events_seen = 0;

  Pipeline make(const std::vector<std::string>& symbols) {
    return Pipeline({adapter, reader_metrics, outbox, nullptr}, symbols, [this] { ++events_seen; });
  }
  std::uint64_t count(metrics::Metric metric, std::initializer_list<std::string_view> labels) {
    return collector.total(collector.series(metric, labels));
  }
};

TEST_F(PipelineTest, keeps_events_of_the_symbols_that_were_asked_for) {
  Pipeline pipeline = make({"BTC", "ETH"});
  pipeline.on_frame("BTC XRP ETH", UnixNanos{1});
  EXPECT_EQ(pipeline.totals().events, 2U);
  EXPECT_EQ(pipeline.totals().unknown_symbols, 1U);
  EXPECT_EQ(outbox.last_seq(), 2U);
  EXPECT_EQ(events_seen, 2);
  EXPECT_EQ(count(metrics::Metric::Errors, {"ws-reader", "unknown_symbol"}), 1U);
}

TEST_F(PipelineTest, takes_every_symbol_where_none_is_named) {
  Pipeline pipeline = make({});
  pipeline.on_frame("BTC XRP ETH", UnixNanos{1});
  EXPECT_EQ(pipeline.totals().events, 3U);
}

TEST_F(PipelineTest, a_frames_bytes_are_counted_once) {
  Pipeline pipeline = make({});
  pipeline.on_frame("BTC ETH", UnixNanos{1});
  EXPECT_EQ(count(metrics::Metric::ReceivedBytes, {"test", "trade", "BTC"}), 7U);
  EXPECT_EQ(count(metrics::Metric::ReceivedBytes, {"test", "trade", "ETH"}), 0U);
}

TEST_F(PipelineTest, the_totals_tell_frames_apart) {
  Pipeline pipeline = make({});
  for (const auto* frame : {"control", "other", "other", "error", "bad", "BTC", ""})
    pipeline.on_frame(frame, UnixNanos{1});
  const auto& totals = pipeline.totals();
  EXPECT_EQ(totals.frames, 7U);
  EXPECT_EQ(totals.control, 1U);
  EXPECT_EQ(totals.other, 2U);
  EXPECT_EQ(totals.api_errors, 1U);
  EXPECT_EQ(totals.rejected, 1U);
  EXPECT_EQ(totals.events, 1U);
}

TEST_F(PipelineTest, hands_on_what_the_adapter_said) {
  EXPECT_EQ(make({}).on_frame("bad", UnixNanos{1}).reason, "no sense");
}

TEST_F(PipelineTest, what_data_changes_about_a_feed_is_told_before_it) {
  struct Sink final : FeedSink {
    Pipeline* pipeline = nullptr;
    std::vector<FeedState> states;
    void on_feed(std::size_t, const Feed& change, UnixNanos now) override {
      states.push_back(change.state);
      pipeline->keep(Event{"test", "BTC", UnixNanos{}, now, change});
    }
    bool resubscribe(std::size_t) override { return true; }
    void reconnect(std::string_view) override {}
  } sink;
  FeedMonitor feeds({{EventType::Trade, "BTC"}}, venues::kStaleAfter, sink);
  Pipeline pipeline({adapter, reader_metrics, outbox, nullptr, &feeds}, {"BTC"}, [this] { ++events_seen; });
  sink.pipeline = &pipeline;
  feeds.on_connected({});
  pipeline.on_frame("BTC XRP", UnixNanos{1});
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

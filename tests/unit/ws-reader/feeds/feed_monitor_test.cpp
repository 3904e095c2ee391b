#include "ws-reader/feeds/feed_monitor.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace mdpipe::reader {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Limits: ticker 30 s, trade 300 s, orderbook 15 s. Wall time is steady time plus kWall, unless a test steps
// it.
constexpr std::int64_t kWall = 1'700'000'000'000'000'000;

class FeedMonitorTest : public testing::Test, protected FeedSink {
 protected:
  void on_feed(std::size_t feed, const FeedChange& change, Moment now) override {
    const auto& what = monitor_.subscription(feed);
    std::string line = fmt::format("{} {} {}: {}", to_string(what.channel), what.symbol,
                                   to_string(change.state), change.reason);
    const auto second = [](UnixNanos time) { return (time.count - kWall) / 1'000'000'000; };
    if (change.from.count != 0) line += fmt::format(" from {}", second(change.from));
    if (change.to.count != 0) line += fmt::format(" to {}", second(change.to));
    if (change.lost) line += fmt::format(" lost {}", *change.lost);
    changes_.push_back(line);
    since_ = change.since;
    EXPECT_EQ(now.wall.count, wall().count);
  }
  bool resubscribe(std::size_t feed) override {
    if (!can_resubscribe_) return false;
    const auto& what = monitor_.subscription(feed);
    resubscribed_.push_back(fmt::format("{} {} {}", to_string(what.channel), what.symbol, now_));
    return true;
  }
  void reconnect(std::string_view reason) override {
    reconnects_.emplace_back(fmt::format("{} {}", now_, reason));
    if (obeys_reconnect_) {
      monitor_.on_disconnected(reason, at());
      connect();
    }
  }

  [[nodiscard]] UnixNanos wall() const { return {kWall + wall_step_ + now_ * 1'000'000'000}; }
  [[nodiscard]] Moment at() const { return {wall(), SteadyTime(hours(100)) + seconds(now_)}; }

  void connect() {
    monitor_.on_connected(at());
    monitor_.on_subscribed(at());
  }
  void data(EventType channel, const std::string& symbol) { monitor_.on_data(channel, symbol, at()); }
  void ticker(const std::string& symbol) { data(EventType::Ticker, symbol); }

  // A second at a time, with a tick in each; `feeds` have data each second.
  void pass(int count, const std::vector<std::string>& tickers = {}) {
    for (int i = 0; i < count; ++i) {
      ++now_;
      for (const auto& symbol : tickers) ticker(symbol);
      monitor_.tick(at());
    }
  }
  // Everything live, nothing noted.
  void go_live() {
    monitor_.start(at());
    connect();
    for (std::size_t i = 0; i < monitor_.size(); ++i)
      data(monitor_.subscription(i).channel, monitor_.subscription(i).symbol);
    changes_.clear();
  }
  std::vector<std::string> take() { return std::exchange(changes_, {}); }
  void watch(std::vector<venues::Subscription> subscriptions) {
    monitor_ = FeedMonitor(std::move(subscriptions), venues::kStaleAfter, *this);
  }

  FeedMonitorTest() { watch({{EventType::Ticker, "BTC"}, {EventType::Ticker, "ETH"}}); }

  std::int64_t now_ = 100;
  std::int64_t wall_step_ = 0;
  bool can_resubscribe_ = true, obeys_reconnect_ = true;
  std::vector<std::string> changes_, resubscribed_, reconnects_;
  UnixNanos since_{};
  FeedMonitor monitor_{{}, venues::kStaleAfter, *this};
};

TEST_F(FeedMonitorTest, the_first_data_of_a_reader_ends_a_gap) {
  monitor_.start(at());
  connect();
  EXPECT_THAT(take(),
              ElementsAre("ticker BTC pending: reader started", "ticker ETH pending: reader started"));
  pass(2);
  ticker("BTC");
  EXPECT_THAT(take(), ElementsAre("ticker BTC gap: reader started to 102", "ticker BTC live: data"));
  ticker("BTC");
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(FeedMonitorTest, a_lost_connection_is_down_then_a_gap) {
  go_live();
  pass(10, {"BTC"});
  monitor_.on_disconnected("cut", at());
  monitor_.on_disconnected("refused", at());
  pass(5);
  connect();
  ticker("BTC");
  EXPECT_THAT(take(), ElementsAre("ticker BTC down: cut", "ticker ETH down: cut",
                                  "ticker BTC pending: connected", "ticker ETH pending: connected",
                                  "ticker BTC gap: reconnected from 110 to 115", "ticker BTC live: data"));
  ticker("ETH");
  EXPECT_THAT(take(), ElementsAre("ticker ETH gap: reconnected from 100 to 115", "ticker ETH live: data"));
}

TEST_F(FeedMonitorTest, a_frozen_symbol_is_stale_within_its_limit_while_its_sibling_runs) {
  go_live();
  pass(29, {"BTC"});
  EXPECT_THAT(take(), ElementsAre("ticker ETH quiet: nothing for 15 s"));
  pass(1, {"BTC"});
  EXPECT_THAT(take(), ElementsAre("ticker ETH stale: nothing for 30 s, while others have data"));
  EXPECT_EQ(since_.count, wall().count);
  pass(16, {"BTC"});
  ticker("ETH");
  EXPECT_THAT(take(), ElementsAre("ticker ETH live: data again after 46 s of silence"));
  EXPECT_THAT(reconnects_, IsEmpty());
}

TEST_F(FeedMonitorTest, a_frozen_symbol_is_subscribed_again_alone_with_doubling_pauses) {
  go_live();
  pass(30 + 30 + 60 + 120 + 240 + 480 + 600 + 600, {"BTC"});
  EXPECT_THAT(resubscribed_,
              ElementsAre("ticker ETH 130", "ticker ETH 160", "ticker ETH 220", "ticker ETH 340",
                          "ticker ETH 580", "ticker ETH 1060", "ticker ETH 1660", "ticker ETH 2260"));
  resubscribed_.clear();
  ticker("ETH");
  pass(89, {"BTC"});
  EXPECT_THAT(resubscribed_, IsEmpty()) << "its limit has become 90 s";
  pass(1, {"BTC"});
  EXPECT_THAT(resubscribed_, ElementsAre("ticker ETH 2350"));
}

TEST_F(FeedMonitorTest, an_acknowledged_but_silent_subscription_is_retried_alone_and_stays_pending) {
  monitor_.start(at());
  connect();
  take();
  pass(60, {"BTC"});
  EXPECT_THAT(resubscribed_, ElementsAre("ticker ETH 130", "ticker ETH 160"));
  EXPECT_EQ(monitor_.state(1), FeedState::Pending);
}

TEST_F(FeedMonitorTest, a_pending_feed_is_not_judged_before_all_requests_are_out) {
  monitor_.start(at());
  monitor_.on_connected(at());
  pass(100, {"BTC"});
  EXPECT_THAT(resubscribed_, IsEmpty());
  monitor_.on_subscribed(at());
  pass(29, {"BTC"});
  EXPECT_THAT(resubscribed_, IsEmpty());
  pass(1, {"BTC"});
  EXPECT_THAT(resubscribed_, ElementsAre("ticker ETH 230"));
}

TEST_F(FeedMonitorTest, a_refused_resubscription_is_asked_again) {
  go_live();
  can_resubscribe_ = false;
  pass(35, {"BTC"});
  can_resubscribe_ = true;
  pass(1, {"BTC"});
  EXPECT_THAT(resubscribed_, ElementsAre("ticker ETH 136"));
}

TEST_F(FeedMonitorTest, a_wholly_silent_connection_is_set_up_again_and_nobody_resubscribed) {
  go_live();
  obeys_reconnect_ = false;
  pass(30);
  EXPECT_THAT(take(),
              AllOf(testing::Contains("ticker BTC stale: nothing for 30 s, the whole connection is silent"),
                    testing::Contains("ticker ETH stale: nothing for 30 s, the whole connection is silent")));
  EXPECT_THAT(reconnects_, ElementsAre("130 no data on the whole connection for 30 s"));
  EXPECT_THAT(resubscribed_, IsEmpty());
}

TEST_F(FeedMonitorTest, a_thin_sibling_does_not_hold_up_the_reconnect) {
  watch({{EventType::OrderBook, "BTC"}, {EventType::Trade, "BTC"}});
  go_live();
  pass(29);
  EXPECT_THAT(reconnects_, IsEmpty());
  pass(1);
  EXPECT_THAT(reconnects_, ElementsAre("130 no data on the whole connection for 30 s"));
}

TEST_F(FeedMonitorTest, a_silent_connection_is_given_twice_the_time_after_each_reconnect) {
  monitor_.start(at());
  connect();
  pass(30 + 60 + 120 + 240 + 480 + 960 + 1920 + 3600 + 3600);
  EXPECT_EQ(reconnects_.size(), 9U);
  EXPECT_THAT(reconnects_.back(), HasSubstr("3600 s"));
  ticker("BTC");  // the snapshot that comes with subscribing does not count as data
  pass(1000);
  EXPECT_EQ(reconnects_.size(), 9U);
  pass(2700);
  EXPECT_EQ(reconnects_.size(), 10U);
  pass(3700, {"BTC", "ETH"});
  pass(30);
  EXPECT_EQ(reconnects_.size(), 11U) << "data flowed long enough: the limit is the usual one again";
}

TEST_F(FeedMonitorTest, a_pause_of_our_own_is_nobodys_silence) {
  go_live();
  pass(10, {"BTC", "ETH"});
  now_ += 600;  // SIGSTOP
  ticker("BTC");
  monitor_.tick(at());
  pass(20, {"BTC"});
  EXPECT_THAT(changes_, Each(HasSubstr("ETH quiet")));
  now_ += 600;
  monitor_.tick(at());
  EXPECT_THAT(changes_, Each(HasSubstr("ETH quiet")));
  EXPECT_THAT(reconnects_, IsEmpty());
}

TEST_F(FeedMonitorTest, a_step_of_the_wall_clock_changes_nothing) {
  go_live();
  for (const std::int64_t step : {-7200, 7200}) {
    wall_step_ = step * 1'000'000'000;
    pass(100, {"BTC", "ETH"});
  }
  EXPECT_THAT(changes_, IsEmpty());
}

TEST_F(FeedMonitorTest, a_momentary_gap_is_followed_by_the_state_as_it_was) {
  go_live();
  monitor_.on_gap(EventType::Ticker, "BTC", "dropped", {UnixNanos{kWall + 1'000'000'000}, wall(), 7}, at());
  EXPECT_THAT(take(), ElementsAre("ticker BTC gap: dropped from 1 to 100 lost 7",
                                  "ticker BTC live: as before the gap"));
  EXPECT_EQ(monitor_.state(0), FeedState::Live);
}

TEST_F(FeedMonitorTest, a_broken_book_stays_in_its_gap_whatever_comes) {
  watch({{EventType::OrderBook, "BTC"}, {EventType::Ticker, "BTC"}});
  go_live();
  monitor_.begin_gap(EventType::OrderBook, "BTC", "a change is missing", at());
  data(EventType::OrderBook, "BTC");
  monitor_.begin_gap(EventType::OrderBook, "BTC", "said again with each change", at());
  pass(3, {"BTC"});
  EXPECT_THAT(take(), ElementsAre("orderbook BTC gap: a change is missing"));
  monitor_.end_gap(EventType::OrderBook, "BTC", at());
  EXPECT_THAT(take(), ElementsAre("orderbook BTC live: whole again"));
  monitor_.end_gap(EventType::OrderBook, "BTC", at());
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(FeedMonitorTest, a_book_that_begins_broken_is_pending_once_whole_and_live_with_its_snapshot) {
  watch({{EventType::OrderBook, "BTC"}});
  monitor_.start(at());
  connect();
  take();
  monitor_.begin_gap(EventType::OrderBook, "BTC", "no snapshot yet", at());
  monitor_.end_gap(EventType::OrderBook, "BTC", at());
  data(EventType::OrderBook, "BTC");
  EXPECT_THAT(take(), ElementsAre("orderbook BTC gap: no snapshot yet", "orderbook BTC pending: whole again",
                                  "orderbook BTC gap: reader started to 100", "orderbook BTC live: data"));
}

TEST_F(FeedMonitorTest, a_broken_book_that_falls_silent_is_subscribed_again) {
  watch({{EventType::OrderBook, "BTC"}, {EventType::Ticker, "BTC"}});
  go_live();
  monitor_.begin_gap(EventType::OrderBook, "BTC", "a change is missing", at());
  pass(15, {"BTC"});
  EXPECT_THAT(resubscribed_, ElementsAre("orderbook BTC 115"));
  EXPECT_EQ(monitor_.state(0), FeedState::Gap);
}

TEST_F(FeedMonitorTest, a_lost_connection_ends_the_gap_of_a_book) {
  watch({{EventType::OrderBook, "BTC"}});
  go_live();
  monitor_.begin_gap(EventType::OrderBook, "BTC", "a change is missing", at());
  monitor_.on_disconnected("cut", at());
  monitor_.end_gap(EventType::OrderBook, "BTC", at());
  EXPECT_THAT(take(), ElementsAre("orderbook BTC gap: a change is missing", "orderbook BTC down: cut"));
}

TEST_F(FeedMonitorTest, all_states_can_be_announced_again) {
  go_live();
  pass(31, {"BTC"});
  take();
  const UnixNanos before = since_;
  now_ += 1;
  monitor_.announce_all("Redis was emptied", at());
  EXPECT_THAT(take(),
              ElementsAre("ticker BTC live: Redis was emptied", "ticker ETH stale: Redis was emptied"));
  EXPECT_EQ(since_.count, before.count);
}

TEST_F(FeedMonitorTest, a_removed_feed_says_so_and_the_others_keep_their_states) {
  watch({{EventType::Ticker, "BTC"}, {EventType::Ticker, "ETH"}, {EventType::Ticker, "XRP"}});
  go_live();
  pass(31, {"ETH"});
  take();
  monitor_.remove({{EventType::Ticker, "BTC"}, {EventType::Trade, "ETH"}}, "no longer collected", at());
  EXPECT_THAT(take(), ElementsAre("ticker BTC ended: no longer collected"));
  EXPECT_EQ(monitor_.size(), 2U);
  ticker("BTC");
  EXPECT_THAT(take(), IsEmpty()) << "what still comes of it is nobody's";
  ticker("XRP");
  EXPECT_THAT(take(), ElementsAre("ticker XRP live: data again after 31 s of silence"));
  EXPECT_EQ(monitor_.state(*monitor_.find(EventType::Ticker, "ETH")), FeedState::Live);
}

TEST_F(FeedMonitorTest, an_added_feed_is_pending_until_its_request_is_out_and_then_judged_as_any_other) {
  go_live();
  monitor_.add({{EventType::Ticker, "XRP"}, {EventType::Trade, "BTC"}}, "collected from here on", at());
  EXPECT_THAT(take(), ElementsAre("ticker XRP pending: collected from here on",
                                  "trade BTC pending: collected from here on"));
  pass(100, {"BTC", "ETH"});
  EXPECT_THAT(resubscribed_, IsEmpty()) << "its request waits for its turn";
  monitor_.on_subscribed(at());
  ticker("XRP");
  EXPECT_THAT(take(), ElementsAre("ticker XRP gap: collected from here on to 200", "ticker XRP live: data"));
  pass(31, {"BTC", "ETH"});
  EXPECT_THAT(take(), ElementsAre("ticker XRP quiet: nothing for 15 s",
                                  "ticker XRP stale: nothing for 30 s, while others have data"));
  EXPECT_THAT(resubscribed_, ElementsAre("ticker XRP 230"));
}

TEST_F(FeedMonitorTest, a_feed_added_without_a_connection_waits_for_one) {
  go_live();
  monitor_.on_disconnected("cut", at());
  take();
  monitor_.add({{EventType::Ticker, "XRP"}}, "collected from here on", at());
  EXPECT_THAT(take(), ElementsAre("ticker XRP down: collected from here on"));
  connect();
  take();
  ticker("XRP");
  EXPECT_THAT(take(), ElementsAre("ticker XRP gap: collected from here on to 100", "ticker XRP live: data"));
}

TEST_F(FeedMonitorTest, new_limits_count_from_the_next_look_on) {
  go_live();
  pass(31, {"BTC"});
  EXPECT_THAT(take(), ElementsAre("ticker ETH quiet: nothing for 15 s",
                                  "ticker ETH stale: nothing for 30 s, while others have data"));
  venues::StaleAfter patient = venues::kStaleAfter;
  patient[static_cast<std::size_t>(EventType::Ticker)] = seconds(90);
  monitor_.set_stale_after(patient);
  ticker("ETH");
  take();
  pass(60, {"BTC"});
  EXPECT_THAT(take(), ElementsAre("ticker ETH quiet: nothing for 47 s"));
}

TEST_F(FeedMonitorTest, data_nobody_watches_and_data_after_the_end_change_nothing) {
  go_live();
  data(EventType::Trade, "BTC");
  ticker("XRP");
  monitor_.on_disconnected("the reader stops", at());
  take();
  ticker("BTC");
  EXPECT_THAT(take(), IsEmpty());
  EXPECT_EQ(monitor_.last_recv(0).count, kWall + 100 * 1'000'000'000LL);
}

}  // namespace
}  // namespace mdpipe::reader

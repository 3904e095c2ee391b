// The simulator without a network: links that keep what they are given, time as numbers.
#include "tools/exchange-sim/simulator.hpp"

#include "tests/unit/exchange-sim/sim_support.hpp"

namespace mdpipe::sim {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// What a connection got; outlives the link, which belongs to the simulator.
struct Sent {
  std::vector<std::string> texts, frames, pings;
  std::optional<int> closed;
  bool dropped = false, drained = true;
  std::size_t buffered = 0;
};

class FakeLink : public Link {
 public:
  explicit FakeLink(Sent& sent) : sent_(sent) {}
  void send_text(std::string_view text) override { sent_.texts.emplace_back(text); }
  void send_frame(std::string frame) override { sent_.frames.push_back(std::move(frame)); }
  void flush() override {}
  void ping(std::string_view payload) override { sent_.pings.emplace_back(payload); }
  void close(int code, std::string_view) override { sent_.closed = code; }
  void drop() override { sent_.dropped = true; }
  [[nodiscard]] std::size_t buffered_bytes() const override { return sent_.buffered; }
  [[nodiscard]] bool is_drained() const override { return sent_.drained; }
  [[nodiscard]] bool is_deflated() const override { return true; }

 private:
  Sent& sent_;
};

struct SimulatorTest : testing::Test {
  Options options;
  SentLog log = std::move(SentLog::open("").value());
  std::unique_ptr<Simulator> simulator;
  Sent client;

  void start(std::vector<const char*> flags) {
    log::configure("test", log::Level::Fatal, 2);
    flags.insert(flags.begin(), "exchange-sim");
    config::OptionTable table = option_table(options);
    table.validate_with([&] { return finish_options(table, options); });
    const auto loaded = table.load(static_cast<int>(flags.size()), flags.data());
    ASSERT_TRUE(loaded) << loaded.error().message;
    simulator = std::make_unique<Simulator>(options, log);
  }
  static Moment when(milliseconds time) {
    return {UnixNanos{1'790'000'000'000'000'000 + time.count() * 1'000'000}, at(time)};
  }
  void connect(std::string_view resource = "/") {
    simulator->on_open(1, std::make_unique<FakeLink>(client), "::1", resource, when(milliseconds(0)));
  }
  void subscribe() {
    simulator->on_text(
        1, R"({"command":"subscribe","channel":"trades","symbol":"BTC_JPY","option":"TAKER_ONLY"})",
        when(milliseconds(0)));
  }
  // Turns every 10 ms up to `time`.
  void run_to(milliseconds time) {
    for (; now_ <= time; now_ += milliseconds(10)) simulator->turn(when(now_));
  }

 private:
  milliseconds now_{0};
};

// Each frame of a book as the exchange's adapter-free reader sees it: best bid and ask, mid price, U and u.
struct SpoiledBooks : SimulatorTest {
  std::vector<simdjson::dom::element> books() {
    std::vector<simdjson::dom::element> found;
    parsers.clear();
    for (const std::string& text : client.texts) {
      if (text.find("\"asks\":") == std::string::npos && text.find("\"a\":[") == std::string::npos) continue;
      found.push_back(parsers.emplace_back(std::make_unique<simdjson::dom::parser>())->parse(text));
    }
    return found;
  }
  std::vector<std::unique_ptr<simdjson::dom::parser>> parsers;
};

TEST_F(SpoiledBooks, a_left_out_delta_is_a_hole_in_its_numbers) {
  start({"--exchange=binance", "--rate=1000", "--events=40", "--skip-delta-every=10"});
  connect("/ws/btcusdt@depth");
  run_to(milliseconds(1'000));
  const auto deltas = books();
  ASSERT_EQ(deltas.size(), 36U);
  std::vector<std::size_t> holes;
  for (std::size_t i = 1; i < deltas.size(); ++i) {
    if (deltas[i]["U"].get_uint64() != deltas[i - 1]["u"].get_uint64() + 1) holes.push_back(i);
  }
  EXPECT_THAT(holes, testing::ElementsAre(9U, 18U, 27U));
  EXPECT_THAT(simulator->stats_json(), HasSubstr(R"("skipped_books":4,)"));
}

TEST_F(SpoiledBooks, a_crossed_full_frame_has_its_best_bid_above_its_best_ask) {
  start({"--exchange=gmo", "--rate=1000", "--events=20", "--cross-book-every=5"});
  connect();
  simulator->on_text(1, R"({"command":"subscribe","channel":"orderbooks","symbol":"BTC_JPY"})",
                     when(milliseconds(0)));
  run_to(milliseconds(1'000));
  std::vector<std::size_t> crossed;
  const auto frames = books();
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const auto best = [&](const char* side) {
      return std::stod(std::string(frames[i][side].at(0)["price"].get_string().value()));
    };
    if (best("bids") >= best("asks")) crossed.push_back(i);
  }
  EXPECT_THAT(crossed, testing::ElementsAre(4U, 9U, 14U, 19U));
}

TEST_F(SpoiledBooks, a_crossed_delta_carries_its_bid_first_and_is_well_formed) {
  start({"--exchange=binance", "--rate=1000", "--events=6", "--cross-book-every=2"});
  connect("/ws/btcusdt@depth/btcusdt@depth5");
  run_to(milliseconds(1'000));
  EXPECT_EQ(books().size(), 12U);  // all parse
  EXPECT_THAT(simulator->stats_json(), HasSubstr(R"("crossed_books":6,)"));
}

TEST_F(SpoiledBooks, a_wrong_mid_price_is_a_tick_off) {
  start({"--exchange=bitflyer", "--rate=1000", "--events=30", "--wrong-mid-every=1", "--symbols=FX_BTC_JPY",
         "--snapshot-interval=1ms"});
  connect();
  for (const char* channel : {"lightning_board_snapshot_FX_BTC_JPY", "lightning_board_FX_BTC_JPY"})
    simulator->on_text(1, R"({"method":"subscribe","params":{"channel":")" + std::string(channel) + "\"}}",
                       when(milliseconds(0)));
  run_to(milliseconds(1'000));
  // A snapshot that follows a delta has the right one.
  double mid = 0;
  std::vector<double> off;
  for (const auto& frame : books()) {
    const std::string_view channel = frame["params"]["channel"];
    const double price = frame["params"]["message"]["mid_price"];
    if (channel == "lightning_board_FX_BTC_JPY") {
      mid = price;
    } else if (mid > 0) {
      off.push_back(mid - price);
      mid = 0;
    }
  }
  EXPECT_THAT(off, testing::AllOf(SizeIs(testing::Gt(10U)), testing::Each(1)));
}

TEST_F(SimulatorTest, refuses_so_many_http_requests) {
  start({"--exchange=binance", "--rest-status=429", "--rest-status-count=2", "--retry-after=7"});
  const std::string_view depth = "/api/v3/depth?symbol=BTCUSDT";
  for (int i = 0; i < 2; ++i) {
    const auto refused = simulator->on_http(depth);
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 429);
    EXPECT_EQ(refused->retry_after, 7);
  }
  EXPECT_EQ(simulator->on_http(depth)->status, 200);
  EXPECT_FALSE(simulator->on_http("/"));
}

TEST_F(SimulatorTest, paces_and_stops_at_events) {
  start({"--rate=100", "--events=150"});
  connect();
  subscribe();
  run_to(milliseconds(1'000));
  EXPECT_NEAR(static_cast<double>(client.texts.size()), 100, 2);
  run_to(milliseconds(5'000));
  EXPECT_THAT(client.texts, SizeIs(150));
}

TEST_F(SimulatorTest, drops_frames_of_a_client_that_is_too_slow_and_counts_them) {
  start({"--rate=100"});
  connect();
  subscribe();
  client.buffered = 1U << 30U;
  run_to(milliseconds(1'000));
  EXPECT_THAT(client.texts, IsEmpty());
  EXPECT_THAT(simulator->stats_json(), testing::ContainsRegex(R"("dropped_full":(99|100|101),)"));
}

TEST_F(SimulatorTest, flat_out_waits_for_a_slow_client_and_loses_nothing) {
  start({"--rate=0"});
  connect();
  subscribe();
  EXPECT_TRUE(simulator->turn(when(milliseconds(0))));
  const std::size_t sent = client.texts.size();
  EXPECT_GT(sent, 0U);
  client.buffered = 1U << 30U;
  EXPECT_FALSE(simulator->turn(when(milliseconds(1))));
  EXPECT_THAT(client.texts, SizeIs(sent));
  EXPECT_THAT(simulator->stats_json(), HasSubstr(R"("dropped_full":0,)"));
}

TEST_F(SimulatorTest, closes_after_n_frames) {
  start({"--rate=1000", "--close-after=7", "--close-code=1013"});
  connect();
  subscribe();
  run_to(milliseconds(100));
  EXPECT_THAT(client.texts, SizeIs(7));
  EXPECT_EQ(client.closed, 1013);
}

TEST_F(SimulatorTest, drops_after_n_frames_once_they_have_arrived) {
  start({"--rate=1000", "--drop-after=7"});
  connect();
  subscribe();
  client.drained = false;
  run_to(milliseconds(100));
  EXPECT_THAT(client.texts, SizeIs(7));
  EXPECT_FALSE(client.dropped);
  client.drained = true;
  run_to(milliseconds(120));
  EXPECT_TRUE(client.dropped);
  EXPECT_FALSE(client.closed);
}

TEST_F(SimulatorTest, gmo_cuts_a_connection_without_a_subscription) {
  start({});
  connect();
  run_to(milliseconds(59'990));
  EXPECT_FALSE(client.dropped);
  run_to(milliseconds(60'020));
  EXPECT_TRUE(client.dropped);
}

TEST_F(SimulatorTest, only_the_pong_that_was_asked_for_counts) {
  start({"--ping-interval=1s", "--missed-pongs-max=3"});
  connect();
  subscribe();
  run_to(milliseconds(1'500));
  ASSERT_THAT(client.pings, SizeIs(1));
  simulator->on_pong(1, client.pings[0], when(milliseconds(1'500)));
  run_to(milliseconds(4'500));
  simulator->on_pong(1, "unasked", when(milliseconds(4'500)));
  EXPECT_FALSE(client.closed);
  run_to(milliseconds(5'100));
  EXPECT_EQ(client.closed, 1008);
}

TEST_F(SimulatorTest, holds_frames_back_for_the_delay) {
  start({"--rate=100", "--delay=500ms"});
  connect();
  subscribe();
  run_to(milliseconds(490));
  EXPECT_THAT(client.texts, IsEmpty());
  run_to(milliseconds(1'000));
  EXPECT_NEAR(static_cast<double>(client.texts.size()), 50, 3);
}

TEST_F(SimulatorTest, control_commands_answer_and_act) {
  start({"--rate=100"});
  connect();
  subscribe();
  EXPECT_THAT(simulator->command("silence on", when(milliseconds(0))), HasSubstr("true"));
  run_to(milliseconds(500));
  EXPECT_THAT(client.texts, IsEmpty());
  simulator->command("silence off", when(milliseconds(500)));
  simulator->command("rate 1000", when(milliseconds(500)));
  run_to(milliseconds(1'000));
  EXPECT_GT(client.texts.size(), 400U);
  EXPECT_THAT(simulator->command("garbage", when(milliseconds(1'000))), HasSubstr("true"));
  EXPECT_THAT(client.frames, SizeIs(1));
  EXPECT_THAT(simulator->command("rate x", when(milliseconds(1'000))), HasSubstr("false"));
  EXPECT_THAT(simulator->command("", when(milliseconds(1'000))), HasSubstr("unknown command"));
  simulator->command("close", when(milliseconds(1'000)));
  EXPECT_EQ(client.closed, 1012);
}

TEST_F(SimulatorTest, refuses_only_the_first_handshakes) {
  start({"--refuse-http=503", "--refuse-count=2"});
  EXPECT_EQ(simulator->refuse_handshake(), 503);
  EXPECT_EQ(simulator->refuse_handshake(), 503);
  EXPECT_EQ(simulator->refuse_handshake(), std::nullopt);
}

TEST_F(SimulatorTest, says_goodbye_as_binance_does) {
  start({"--exchange=binance"});
  connect("/ws/btcusdt@trade");
  simulator->shut_down(when(milliseconds(0)));
  ASSERT_THAT(client.texts, SizeIs(1));
  EXPECT_THAT(client.texts[0], HasSubstr(R"("e":"serverShutdown")"));
  EXPECT_EQ(client.closed, 1001);
  EXPECT_FALSE(simulator->is_finished());
  simulator->on_close(1, when(milliseconds(1)));
  EXPECT_TRUE(simulator->is_finished());
}

}  // namespace
}  // namespace mdpipe::sim

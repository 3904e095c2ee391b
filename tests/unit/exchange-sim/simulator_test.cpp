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
  static Now when(milliseconds time) {
    return {at(time), UnixNanos{1'790'000'000'000'000'000 + time.count() * 1'000'000}};
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

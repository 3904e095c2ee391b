// The rest of ws-reader: an event into a batch, the outbox, and a frame through all stages.
#include <benchmark/benchmark.h>

#include <memory>

#include "bench/micro/frames.hpp"
#include "libshared/wire/event_codec.hpp"
#include "ws-reader/feeds/feed_monitor.hpp"
#include "ws-reader/pipeline.hpp"
#include "ws-reader/venues/registry.hpp"

namespace mdpipe::bench {
namespace {

constexpr SteadyTime kSteady{std::chrono::hours(1)};
constexpr Moment kNow{kReceived, kSteady};
std::vector<Level> make_levels(std::size_t depth) {
  return std::vector<Level>(depth, Level{"13494275", "0.0123"});
}

Event trade() { return {"gmo", "BTC_JPY", kReceived, kReceived, Trade{"13500000", "0.0123", Side::Buy, {}}}; }

Event ticker() {
  return {"gmo", "BTC_JPY", kReceived, kReceived,
          Ticker{"13499990", "13500010", "13500000", "13590000", "13420000", "1234.5678"}};
}

void encode(benchmark::State& state, const Event& event) {
  wire::ByteBuffer out;
  std::uint64_t seq = 0;
  while (state.KeepRunningBatch(kBatchEvents)) {
    wire::begin_batch(out);
    for (std::size_t i = 0; i < kBatchEvents; ++i) wire::encode_event(event, ++seq, out);
    wire::seal_batch(out, kBatchEvents);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(seq));
}

void encode_trade(benchmark::State& state) { encode(state, trade()); }
BENCHMARK(encode_trade);
void encode_ticker(benchmark::State& state) { encode(state, ticker()); }
BENCHMARK(encode_ticker);
void encode_book(benchmark::State& state) {
  const auto levels = make_levels(static_cast<std::size_t>(state.range(0)));
  const Levels side{levels.data(), levels.size()};
  encode(state,
         {"gmo", "BTC_JPY", kReceived, kReceived, OrderBook{BookKind::Snapshot, side, side, std::nullopt}});
}
BENCHMARK(encode_book)->Arg(10)->Arg(20)->Arg(100)->Arg(1000);

// Numbered, encoded, sent, confirmed: batches with as many events as the argument says.
void outbox_append_confirm(benchmark::State& state) {
  const auto batch = static_cast<benchmark::IterationCount>(state.range(0));
  reader::Outbox outbox("gmo", 77, {}, kNow);
  const Event event = trade();
  while (state.KeepRunningBatch(batch)) {
    for (benchmark::IterationCount i = 0; i < batch; ++i) outbox.append(event, kNow);
    outbox.flush(kNow);
    while (outbox.next() != nullptr) outbox.mark_sent(kNow);
    outbox.on_position({1000, 77, outbox.last_seq(), outbox.last_seq(), true}, kNow);
  }
  if (!outbox.everything_confirmed()) state.SkipWithError("not all was confirmed");
  state.SetItemsProcessed(static_cast<std::int64_t>(outbox.last_seq()));
}
BENCHMARK(outbox_append_confirm)->Arg(1)->Arg(10)->Arg(100);

struct IgnoringFeedSink final : reader::FeedSink {
  void on_feed(std::size_t, const FeedChange&, Moment) override {}
  bool resubscribe(std::size_t) override { return true; }
  void reconnect(std::string_view) override {}
};

// A frame through adapter, filter, counts, feed states, guard and outbox, as in the program but for the
// socket.
class Reader {
 public:
  Reader(const std::string& exchange, std::size_t symbols)
      : names_(symbol_names(symbols)),
        subscriptions_(all(names_)),
        collector_({"ws-reader", exchange, exchange}),
        adapter_(venues::make_adapter(exchange)),
        metrics_(collector_, exchange, subscriptions_),
        outbox_(exchange, 77, {}, kNow),
        feeds_(subscriptions_, venues::kStaleAfter, feed_sink_),
        writer_({outbox_, metrics_}, [] {}),
        pipeline_({*adapter_, metrics_, writer_, &feeds_}, names_) {
    feeds_.start(kNow);
    feeds_.on_connected(kNow);
    feeds_.on_subscribed(kNow);
    pipeline_.check_books({[](std::string_view) {}, [](std::string_view) {}});
  }

  void read(std::string_view frame) { pipeline_.on_frame(frame, kNow); }
  void confirm() {
    writer_.on_flush();
    outbox_.flush(kNow);
    while (outbox_.next() != nullptr) outbox_.mark_sent(kNow);
    outbox_.on_position({1000, 77, outbox_.last_seq(), outbox_.last_seq(), true}, kNow);
  }
  [[nodiscard]] std::uint64_t events() const { return outbox_.last_seq(); }

 private:
  static std::vector<venues::Subscription> all(const std::vector<std::string>& names) {
    std::vector<venues::Subscription> out;
    for (const auto& name : names)
      for (const EventType type : kMarketTypes) out.push_back({type, name});
    return out;
  }

  std::vector<std::string> names_;
  std::vector<venues::Subscription> subscriptions_;
  metrics::MetricsCollector collector_;
  std::unique_ptr<venues::Adapter> adapter_;
  reader::ReaderMetrics metrics_;
  reader::Outbox outbox_;
  IgnoringFeedSink feed_sink_;
  reader::FeedMonitor feeds_;
  reader::EventWriter writer_;
  reader::Pipeline pipeline_;
};

void read_through(benchmark::State& state, const Shape& shape) {
  const auto frames = gmo_frames(shape);
  Reader reader("gmo", shape.symbols);
  std::size_t next = 0;
  while (state.KeepRunningBatch(kBatchEvents)) {
    for (std::size_t i = 0; i < kBatchEvents; ++i) {
      reader.read(frames[next]);
      next = next + 1 == frames.size() ? 0 : next + 1;
    }
    reader.confirm();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(reader.events()));
}

void reader_by_symbols(benchmark::State& state) {
  read_through(state, {static_cast<std::size_t>(state.range(0)), 20, {}});
}
BENCHMARK(reader_by_symbols)->Arg(10)->Arg(100)->Arg(1000);
void reader_by_depth(benchmark::State& state) {
  read_through(state, {10, static_cast<std::size_t>(state.range(0)), {}});
}
BENCHMARK(reader_by_depth)->Arg(10)->Arg(100)->Arg(1000);

}  // namespace
}  // namespace mdpipe::bench

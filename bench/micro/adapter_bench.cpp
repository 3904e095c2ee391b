// An exchange's adapter: from a frame to events.
#include <benchmark/benchmark.h>

#include "bench/micro/frames.hpp"
#include "ws-reader/venues/registry.hpp"

namespace mdpipe::bench {
namespace {

struct CountingSink final : venues::EventSink {
  std::int64_t events = 0;
  void on_event(const Event& event) override {
    benchmark::DoNotOptimize(&event);
    ++events;
  }
};

void read_frames(benchmark::State& state, const std::string& exchange, const Shape& shape) {
  const auto frames = frames_of(exchange, shape);
  const auto adapter = venues::make_adapter(exchange);
  CountingSink sink;
  std::size_t next = 0;
  std::int64_t bytes = 0;
  while (state.KeepRunning()) {
    const std::string& frame = frames[next];
    const auto result = adapter->on_frame(frame, kReceived, sink);
    if (result.kind != venues::FrameKind::Events) return state.SkipWithError("a frame was not taken");
    bytes += static_cast<std::int64_t>(frame.size());
    next = next + 1 == frames.size() ? 0 : next + 1;
  }
  state.SetItemsProcessed(sink.events);
  state.SetBytesProcessed(bytes);
}

constexpr Mix kTrades{100, 0, 0}, kTickers{0, 100, 0}, kBooks{0, 0, 100};

void adapter(benchmark::State& state, const std::string& exchange, const Mix& mix) {
  read_frames(state, exchange, {10, 20, mix});
}
BENCHMARK_CAPTURE(adapter, gmo_mix, "gmo", Mix{});
BENCHMARK_CAPTURE(adapter, gmo_trade, "gmo", kTrades);
BENCHMARK_CAPTURE(adapter, gmo_ticker, "gmo", kTickers);
BENCHMARK_CAPTURE(adapter, bitflyer_mix, "bitflyer", Mix{});
BENCHMARK_CAPTURE(adapter, bitflyer_trade, "bitflyer", kTrades);
BENCHMARK_CAPTURE(adapter, bitflyer_ticker, "bitflyer", kTickers);
BENCHMARK_CAPTURE(adapter, binance_mix, "binance", Mix{});
BENCHMARK_CAPTURE(adapter, binance_trade, "binance", kTrades);
BENCHMARK_CAPTURE(adapter, binance_ticker, "binance", kTickers);

void adapter_book(benchmark::State& state, const std::string& exchange) {
  read_frames(state, exchange, {10, static_cast<std::size_t>(state.range(0)), kBooks});
}
BENCHMARK_CAPTURE(adapter_book, gmo, "gmo")->Arg(10)->Arg(20)->Arg(100)->Arg(1000);
BENCHMARK_CAPTURE(adapter_book, bitflyer, "bitflyer")->Arg(10)->Arg(100)->Arg(1000);
BENCHMARK_CAPTURE(adapter_book, binance, "binance")->Arg(10)->Arg(100)->Arg(1000);

}  // namespace
}  // namespace mdpipe::bench

// The cost of counting in a component: for each event, and for the message of each second by number of
// symbols.
#include <benchmark/benchmark.h>

#include "bench/micro/frames.hpp"
#include "libshared/event/event.hpp"
#include "libshared/metrics/collector.hpp"
#include "libshared/metrics/delta.hpp"

namespace mdpipe::bench {
namespace {

using metrics::Metric;

// The series that a reader has for each symbol and channel, and the histogram of each channel.
struct Counted {
  std::vector<metrics::Series> messages, bytes, last;
  metrics::Series latency;

  Counted(metrics::MetricsCollector& collector, std::size_t symbols) {
    for (const std::string& symbol : symbol_names(symbols)) {
      for (const EventType type : kMarketTypes) {
        messages.push_back(collector.series(Metric::MessagesReceived, {"gmo", to_string(type), symbol}));
        bytes.push_back(collector.series(Metric::ReceivedBytes, {"gmo", to_string(type), symbol}));
        last.push_back(collector.series(Metric::LastMessageTimestamp, {"gmo", to_string(type), symbol}));
      }
    }
    latency = collector.series(Metric::ExchangeLatency, {"gmo", "trade"});
  }
  void count(metrics::MetricsCollector& collector, std::size_t feed) const {
    collector.add(messages[feed]);
    collector.add(bytes[feed], 300);
    collector.set(last[feed], 1.79e9 + static_cast<double>(feed));
    collector.observe(latency, std::chrono::microseconds(900 + feed));
  }
};

void count_event(benchmark::State& state) {
  metrics::MetricsCollector collector({"ws-reader", "gmo", "gmo"});
  const Counted counted(collector, static_cast<std::size_t>(state.range(0)));
  std::size_t feed = 0;
  while (state.KeepRunning()) {
    counted.count(collector, feed);
    feed = feed + 1 == counted.messages.size() ? 0 : feed + 1;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(count_event)->Arg(10)->Arg(100)->Arg(1000);

// Once a second; every tenth is a full one.
void metric_message(benchmark::State& state, bool full) {
  metrics::MetricsCollector collector({"ws-reader", "gmo", "gmo"});
  const Counted counted(collector, static_cast<std::size_t>(state.range(0)));
  metrics::Delta delta;
  wire::ByteBuffer out;
  collector.snapshot(true, delta);
  while (state.KeepRunning()) {
    for (std::size_t feed = 0; feed < counted.messages.size(); ++feed) counted.count(collector, feed);
    collector.snapshot(full, delta);
    out.clear();
    encode(delta, out);
  }
  state.counters["bytes"] = static_cast<double>(out.size());
}
BENCHMARK_CAPTURE(metric_message, changes, false)
    ->Arg(10)
    ->Arg(100)
    ->Arg(1000)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(metric_message, full, true)->Arg(10)->Arg(100)->Arg(1000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace mdpipe::bench

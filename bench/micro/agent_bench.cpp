// metrics-agent: a component's message merged, /metrics rendered and OTLP requests encoded, by number of
// symbols.
#include <benchmark/benchmark.h>

#include "bench/micro/frames.hpp"
#include "libshared/event/event.hpp"
#include "libshared/metrics/collector.hpp"
#include "metrics-agent/forward/otlp/otlp_encode.hpp"
#include "metrics-agent/http/page/exposition.hpp"
#include "metrics-agent/store/snapshot_store.hpp"

namespace mdpipe::bench {
namespace {

using metrics::Metric;

constexpr Moment kNow{kReceived, SteadyTime(std::chrono::hours(1))};

void count_all(metrics::MetricsCollector& collector, std::size_t symbols) {
  for (const std::string& symbol : symbol_names(symbols)) {
    for (const EventType type : kMarketTypes) {
      collector.add(collector.series(Metric::MessagesReceived, {"gmo", to_string(type), symbol}));
      collector.add(collector.series(Metric::ReceivedBytes, {"gmo", to_string(type), symbol}), 300);
      collector.set(collector.series(Metric::LastMessageTimestamp, {"gmo", to_string(type), symbol}), 1.79e9);
      collector.set(collector.series(Metric::FeedState, {"gmo", to_string(type), symbol}), 1);
      collector.set(collector.series(Metric::FeedStateSince, {"gmo", to_string(type), symbol}), 1.79e9);
    }
  }
  collector.observe(collector.series(Metric::ExchangeLatency, {"gmo", "trade"}),
                    std::chrono::microseconds(900));
}

void merge_message(benchmark::State& state) {
  metrics::MetricsCollector collector({"ws-reader", "gmo", "gmo"});
  agent::SnapshotStore store(agent::StoreLimits{});
  metrics::Delta delta;
  wire::ByteBuffer bytes;
  const auto send = [&](bool full) {
    count_all(collector, static_cast<std::size_t>(state.range(0)));
    collector.snapshot(full, delta);
    bytes.clear();
    encode(delta, bytes);
  };
  send(true);
  store.apply(metrics::decode_delta(bytes.view()).value(), kNow);
  while (state.KeepRunning()) {
    state.PauseTiming();
    send(false);
    state.ResumeTiming();
    const auto decoded = metrics::decode_delta(bytes.view());
    if (store.apply(decoded.value(), kNow).verdict != agent::Applied::Verdict::Merged)
      return state.SkipWithError("a message was not merged");
  }
}
BENCHMARK(merge_message)->Arg(10)->Arg(100)->Arg(1000)->Unit(benchmark::kMicrosecond);

// By number of symbols, in a form of the page.
template <agent::TextFormat format, bool gzip>
void render_metrics(benchmark::State& state) {
  metrics::MetricsCollector collector({"ws-reader", "gmo", "gmo"});
  count_all(collector, static_cast<std::size_t>(state.range(0)));
  metrics::Delta delta;
  collector.snapshot(true, delta);
  agent::SnapshotStore store(agent::StoreLimits{});
  store.apply(delta, kNow);
  std::string page;
  while (state.KeepRunning())
    page = agent::make_exposition(store, agent::NameProfile::Collector, {format, gzip});
  state.counters["bytes"] = static_cast<double>(page.size());
}
BENCHMARK_TEMPLATE(render_metrics, agent::TextFormat::Prometheus, false)
    ->Name("render_metrics/text")
    ->Arg(10)
    ->Arg(100)
    ->Arg(1000)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_TEMPLATE(render_metrics, agent::TextFormat::OpenMetrics100, false)
    ->Name("render_metrics/open_metrics")
    ->Arg(1000)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_TEMPLATE(render_metrics, agent::TextFormat::OpenMetrics100, true)
    ->Name("render_metrics/open_metrics_gzip")
    ->Arg(1000)
    ->Unit(benchmark::kMicrosecond);

// The requests of one round over all series.
void encode_otlp(benchmark::State& state) {
  metrics::MetricsCollector collector({"ws-reader", "gmo", "gmo"});
  agent::SnapshotStore store(agent::StoreLimits{});
  agent::OtlpCounts counts(agent::Temporality::Cumulative);
  agent::WindowBook book(kNow.steady, {});
  count_all(collector, static_cast<std::size_t>(state.range(0)));
  metrics::Delta delta;
  collector.snapshot(true, delta);
  store.apply(delta, kNow);
  counts.add(store, book.close(store, kNow.steady + std::chrono::seconds(1)), kNow.wall);
  agent::OtlpEncoder encoder({}, store, counts);
  std::size_t bytes = 0;
  while (state.KeepRunning()) {
    bytes = 0;
    encoder.begin_round();
    while (!encoder.is_done()) bytes += encoder.next_request().body.size();
  }
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(encode_otlp)->Arg(10)->Arg(1000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace mdpipe::bench

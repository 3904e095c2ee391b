// Goal: whatever happens (lost messages, restarted and killed components, a killed agent), the windows add up
// to what was counted. Method: real collectors count at random, a model counts along, components are killed
// and find their counter files, and the agent is killed and restored from the bytes of its checkpoint. The
// seed is in the failure message.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <random>

#include "libshared/metrics/collector.hpp"
#include "metrics-agent/store/snapshot_store.hpp"
#include "metrics-agent/window/window.hpp"
#include "metrics-agent/window/window_state.hpp"
#include "tests/unit/metrics-agent/fake_component.hpp"
#include "tests/unit/metrics-agent/window/checkpoint_support.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;
using Totals = std::map<std::string, std::uint64_t>;

class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed) {
    char name[] = "/tmp/mdpipe-windows-XXXXXX";
    folder_ = mkdtemp(name);
    for (const char* source : {"gmo", "bitflyer", "binance"}) {
      metrics::CollectorOptions options;
      options.component = "ws-reader";
      options.source = source;
      options.exchange = source;
      options.series_max = 1000;
      if (options.source != "binance") options.counter_file = folder_ + "/" + source;
      components_.push_back(std::make_unique<metrics::MetricsCollector>(options));
    }
    start_agent({});
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() { std::filesystem::remove_all(folder_); }

  void step() {
    now_ += 1;
    std::unique_ptr<metrics::MetricsCollector>& chosen = components_[random_() % components_.size()];
    metrics::MetricsCollector& component = *chosen;
    switch (random_() % 9) {
      case 0:
      case 1:
      case 2:
        count(component);
        break;
      case 3:
        deliver(component, false);
        break;
      case 4:
        component.snapshot(false, delta_);
        break;  // lost on its way
      case 5:
        close_window();
        break;
      case 6:
        restart(component);
        break;
      case 7:
        kill_agent();
        break;
      case 8:
        kill(chosen);
        break;
    }
  }

  // The last message of each component, and the last window.
  void finish() {
    for (const auto& component : components_) deliver(*component, true);
    close_window();
  }

  Totals counted, logged;

 private:
  void start_agent(WindowCheckpoint checkpoint) {
    store_ = std::make_unique<SnapshotStore>(StoreLimits{});
    book_.emplace(at(now_).steady, std::move(checkpoint));
  }

  void count(metrics::MetricsCollector& component) {
    const std::string symbol(1, static_cast<char>('A' + random_() % 4));
    const auto& exchange = component.options().exchange;
    const auto times = random_() % 5;
    component.add(component.series(Metric::MessagesReceived, {exchange, "ticker", symbol}), times);
    counted[exchange + symbol] += times;
    for (std::uint64_t i = 0; i < times; ++i) {
      component.observe(component.series(Metric::PublishLatency, {exchange, "md:ticker"}),
                        std::chrono::microseconds(random_() % 100'000));
    }
    counted[exchange + "latency"] += times;
  }

  void deliver(metrics::MetricsCollector& component, bool full) {
    component.snapshot(full || random_() % 3 == 0, delta_);
    store_->apply(delta_, at(now_));
  }

  void close_window() {
    const Window window = book_->close(*store_, at(now_).steady);
    for (std::size_t i = 0; i < window.counts.size(); ++i) {
      const SeriesKey key = store_->key(store_->cells()[i]);
      if (key.info->metric == Metric::MessagesReceived)
        logged[std::string(key.labels[0]).append(key.labels[2])] += window.counts[i];
    }
    for (const auto& [cell, histogram] : window.histograms) {
      logged[std::string(store_->key(store_->cells()[cell]).labels[0]) + "latency"] += histogram.count;
      EXPECT_EQ(std::accumulate(histogram.buckets.begin(), histogram.buckets.end(), std::uint64_t{0}),
                histogram.count);
    }
    saved_ = encode_checkpoint(book_->checkpoint(*store_), "boot");
    epochs_ended_ = false;
  }

  // What a component counted after its last message is lost with it, so it says goodbye first.
  void restart(metrics::MetricsCollector& component) {
    deliver(component, true);
    component.reset();
    epochs_ended_ = true;
  }

  // Without a last message, although it may have counted something since the message before.
  void kill(std::unique_ptr<metrics::MetricsCollector>& component) {
    const metrics::CollectorOptions options = component->options();
    if (options.counter_file.empty()) return;
    component.reset();
    component = std::make_unique<metrics::MetricsCollector>(options);
  }

  // An epoch that ended in this window is only in the agent's memory, so a kill would lose it.
  void kill_agent() {
    if (epochs_ended_) return;
    auto checkpoint = saved_.empty() ? Result<WindowCheckpoint>(WindowCheckpoint())
                                     : decode_checkpoint(saved_, {"boot", at(now_).wall});
    ASSERT_TRUE(checkpoint);
    start_agent(std::move(checkpoint.value()));
  }

  std::mt19937_64 random_;
  std::string folder_;
  std::vector<std::unique_ptr<metrics::MetricsCollector>> components_;
  std::unique_ptr<SnapshotStore> store_;
  std::optional<WindowBook> book_;
  metrics::Delta delta_;
  std::string saved_;
  double now_ = 0;
  bool epochs_ended_ = false;
};

TEST(WindowProperty, windows_add_up_to_the_totals) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(seed);
    for (int i = 0; i < 300; ++i) world.step();
    world.finish();
    ASSERT_EQ(world.logged, world.counted);
  }
}

}  // namespace
}  // namespace mdpipe::agent

#pragma once
// What OpenTelemetry is told of counters and histograms: counts, and the time since when they were counted.
// Windows are added up here. With delta temporality the counts leave with the request that carries them;
// cumulative ones are those that never leave, so that they go back neither when the agent is restarted nor
// when a component has lost its counters. Pure.
//
// The times of a series touch and never overlap: a point ends where a window ended, and the next one of that
// series begins there, however long it had nothing to tell. They are whole milliseconds.
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "metrics-agent/forward/undelivered.hpp"

namespace mdpipe::agent {

enum class Temporality { Cumulative, Delta };

class OtlpCounts {
 public:
  explicit OtlpCounts(Temporality temporality) : temporality_(temporality) {}

  // A window that ended now.
  void add(const SnapshotStore& store, const Window& window, UnixNanos now);

  // By number of the series, in the order of first sight.
  [[nodiscard]] std::size_t size() const { return since_.size(); }
  [[nodiscard]] metrics::SeriesKey key(std::size_t index) const { return counts_.key(index); }
  [[nodiscard]] const Undelivered::Entry& operator[](std::size_t index) const { return counts_[index]; }
  [[nodiscard]] UnixNanos since(std::size_t index) const;
  [[nodiscard]] UnixNanos end() const;  // of the last window

  // Delta: puts the counts of a series aside, for a request that is being made. `back` where it came to
  // nothing.
  void send(std::size_t index);
  void sent() { on_their_way_.clear(); }
  void back();

  // With what is on its way. A restart under another temporality takes over what is not delivered, but not
  // totals as increments.
  [[nodiscard]] metrics::Delta state(std::string_view destination) const;
  void restore(const metrics::Delta& state);

 private:
  struct OnItsWay {
    std::size_t index;
    std::int64_t since;
    Undelivered::Entry entry;
  };
  struct Processor {
    bool is_known = false;
    std::uint64_t epoch = 0;
    std::uint64_t micros = 0;
  };

  struct Span {
    std::int64_t begin, end;  // ms
  };

  void enter_series(const SnapshotStore& store, const Window& window, Span span);
  [[nodiscard]] std::int64_t begin_of(const SnapshotStore& store, const Window& window, SeriesIndex series,
                                      Span span) const;
  void add_processor_time(const SnapshotStore& store);

  Temporality temporality_;
  Undelivered counts_;
  std::vector<std::int64_t> since_;      // ms, by series
  std::vector<std::uint32_t> by_store_;  // series of the store -> of counts_
  std::vector<Processor> processor_;     // by cell: what was added of process_cpu_seconds_total
  std::vector<OnItsWay> on_their_way_;
  std::optional<std::int64_t> end_;  // ms
};

}  // namespace mdpipe::agent

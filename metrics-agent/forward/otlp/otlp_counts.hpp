#pragma once
// The counters and histograms for OpenTelemetry: counts, and the time at which counting began. Windows are
// added up here. With delta temporality, counts are removed when the request that contains them is answered.
// Cumulative counts are never removed, so they do not decrease when the agent is restarted or when a
// component has lost its counters. Pure.
//
// The times of a series touch and never overlap: a point ends at the end of a window, and the next point of
// that series begins there, however long nothing was counted. Times are whole milliseconds.
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

  // Delta: sets the counts of a series aside for a request. confirm() after the request was accepted or
  // refused; put_back() adds the counts to newer ones.
  void set_aside(std::size_t index);
  void confirm() { in_request_.clear(); }
  void put_back();

  // Includes the counts that are set aside. After a restart with another temporality, undelivered increments
  // are kept, but totals do not become increments.
  [[nodiscard]] metrics::Delta state(std::string_view destination) const;
  void restore(const metrics::Delta& state);

 private:
  struct InRequest {
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
  std::vector<Processor> processor_;     // by cell: the part of process_cpu_seconds_total that was added
  std::vector<InRequest> in_request_;
  std::optional<std::int64_t> end_;  // ms
};

}  // namespace mdpipe::agent

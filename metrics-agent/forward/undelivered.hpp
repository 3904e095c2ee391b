#pragma once
// The increments that a destination has not accepted yet: windows are added, delivered counts are removed. It
// keeps one number for each series, however long the destination is unreachable, so nothing has to be dropped
// for lack of memory. Pure.
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "libshared/metrics/delta.hpp"
#include "libshared/metrics/series_table.hpp"
#include "metrics-agent/store/histogram_sum.hpp"
#include "metrics-agent/store/snapshot_store.hpp"
#include "metrics-agent/window/window.hpp"

namespace mdpipe::agent {

class Undelivered {
 public:
  struct Entry {
    std::uint64_t count = 0;                  // counters
    std::unique_ptr<HistogramSum> histogram;  // histograms; empty if nothing was observed
    [[nodiscard]] bool is_empty() const { return count == 0 && !histogram; }
  };

  // Counts of one entry that travel together: of a counter, or of one bucket of a histogram.
  struct Part {
    std::uint32_t index = 0;
    std::uint32_t bucket = 0;
    std::uint64_t count = 0;
  };

  void add(const SnapshotStore& store, const Window& window);

  // Entries by number, in the order in which they first appeared; empty ones have been delivered.
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] metrics::SeriesKey key(std::size_t index) const {
    return series_[static_cast<std::uint32_t>(index)];
  }
  [[nodiscard]] const Entry& operator[](std::size_t index) const { return entries_[index]; }
  // Removes a part of an entry (at most what is there), and adds it again if it was not accepted. The sum and
  // the bounds of a histogram describe only the whole, so they are 0 afterwards.
  void deliver(const Part& part);
  void put_back(const Part& part);

  // For destinations that keep more than the counts of a series: its number, which exists before anything is
  // counted, and its whole entry, removed and added again.
  std::size_t find_or_add(metrics::Metric metric, const metrics::LabelValues& labels);
  Entry exchange(std::size_t index) { return std::exchange(entries_[index], {}); }
  void add(std::size_t index, const Entry& more);

  // To and from WindowCheckpoint::undelivered. Series that the catalogue no longer has are left out.
  [[nodiscard]] metrics::Delta state(std::string_view destination, UnixNanos now) const;
  void restore(const metrics::Delta& state);

 private:
  metrics::SeriesTable series_;
  std::vector<Entry> entries_;             // by series of series_
  std::vector<std::uint32_t> from_store_;  // series of the store -> of series_
};

}  // namespace mdpipe::agent

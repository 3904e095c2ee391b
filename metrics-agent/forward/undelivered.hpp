#pragma once
// The increments that a destination has not taken yet: windows go in, what was delivered goes out. One number
// a series however long the destination is away, so nothing has to be thrown away for want of room. Pure.
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
    std::unique_ptr<HistogramSum> histogram;  // histograms; empty where nothing was observed
    [[nodiscard]] bool is_empty() const { return count == 0 && !histogram; }
  };

  // Counts of one entry that travel together: of a counter, or of one bucket of a histogram.
  struct Part {
    std::uint32_t index = 0;
    std::uint32_t bucket = 0;
    std::uint64_t count = 0;
  };

  void add(const SnapshotStore& store, const Window& window);

  // Entries by number, in the order of first sight; those that are empty have been delivered.
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] metrics::SeriesKey key(std::size_t index) const {
    return series_[static_cast<std::uint32_t>(index)];
  }
  [[nodiscard]] const Entry& operator[](std::size_t index) const { return entries_[index]; }
  // A part of an entry, of at most what is there, and back again where it turns out not to have been taken.
  // The sum and the bounds of a histogram describe it as a whole only, so they are 0 from then on.
  void deliver(const Part& part);
  void put_back(const Part& part);

  // For destinations that keep more than the counts of a series: its number, known before anything is
  // counted, and what it has as something to hold and to give back.
  std::size_t find_or_add(metrics::Metric metric, const metrics::LabelValues& labels);
  Entry take(std::size_t index) { return std::exchange(entries_[index], {}); }
  void add(std::size_t index, const Entry& more);

  // For WindowCheckpoint::undelivered, and back. Series that the catalogue does not have any more are left
  // out.
  [[nodiscard]] metrics::Delta state(std::string_view destination, UnixNanos now) const;
  void restore(const metrics::Delta& state);

 private:
  metrics::SeriesTable series_;
  std::vector<Entry> entries_;             // by series of series_
  std::vector<std::uint32_t> from_store_;  // series of the store -> of series_
};

}  // namespace mdpipe::agent

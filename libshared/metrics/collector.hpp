#pragma once
// Counts for one component. A series is interned once and then counted by its number in a flat array: no
// allocation, no look-up and no clock on the hot path. snapshot() returns what changed; MetricsSender sends
// it every second. If a CounterFile is given, counters and histograms are in it and outlive a crash. One
// thread only: the component's loop.
#include <cassert>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/metrics/catalogue.hpp"
#include "libshared/metrics/counter_file.hpp"
#include "libshared/metrics/delta.hpp"
#include "libshared/metrics/pending_counts.hpp"
#include "libshared/metrics/persistent_histogram.hpp"
#include "libshared/metrics/series.hpp"
#include "libshared/metrics/series_table.hpp"

namespace mdpipe::metrics {

struct CollectorOptions {
  std::string component;            // "ws-reader"
  std::string source;               // which of them: "gmo"
  std::string exchange;             // the label of the increment_ functions below; empty if there are several
  bool enabled = true;              // ENABLE_METRICS; false counts nothing and sends nothing
  std::size_t series_max = 50'000;  // more series are refused and counted
  std::string counter_file = {};    // makes all but the gauges persistent; empty: in memory only
  std::size_t pending_max = 0;      // the most counters that one set of pending counts changes
};

class MetricsCollector {
 public:
  explicit MetricsCollector(CollectorOptions options);

  // For code that is not on the hot path: each looks its series up. The programs count events with series()
  // and add().
  void increment_received(std::string_view channel, std::string_view symbol);
  void increment_published(std::string_view stream, std::string_view symbol);
  void increment_error(std::string_view error_type);
  void increment_reconnect();

  // Interns a series; the values are those of the catalogue's labels, in its order. At series_max the result
  // counts nothing and collector_metric_series_dropped_total grows.
  Series series(Metric metric, std::initializer_list<std::string_view> labels);

  void add(Series series, std::uint64_t count = 1) {
    if (series.total_ != nullptr) *series.total_ += count;
  }
  void set(Series gauge, double value) {
    if (gauge.id_ == Series::kNone) return;
    assert(slots_[gauge.id_].kind == SlotKind::Gauge);
    slots_[gauge.id_].gauge = value;
  }
  // The gauge ends: it is not shown until it is set again. It is sent as NaN.
  void withdraw(Series gauge) { set(gauge, std::numeric_limits<double>::quiet_NaN()); }
  // For counters that something else counts, such as processor time: the value may have a fraction.
  void set_total(Series series, double total) { set(series, total); }
  void observe(Series series,
               std::chrono::nanoseconds duration);  // negative durations: count them elsewhere

  // What changed since the last snapshot, or everything. Fills `out`: its memory is reused, and its names are
  // views into the collector.
  void snapshot(bool full, Delta& out);

  // Counts that take effect when Redis is known to hold what they count.
  PendingCounts& pending() { return pending_; }

  // Forgets every count and starts a new epoch; series stay interned.
  void reset();

  [[nodiscard]] const CollectorOptions& options() const { return options_; }
  [[nodiscard]] std::uint64_t total(Series series) const {
    return series.total_ == nullptr ? 0 : *series.total_;
  }
  // The counters of one metric, by their label values.
  void for_each_total(Metric metric,
                      const std::function<void(const LabelValues&, std::uint64_t)>& on_total) const;
  // When the counters began: the epoch of an earlier run if they are persistent.
  [[nodiscard]] std::uint64_t origin() const { return origin_; }
  [[nodiscard]] std::size_t series_count() const { return slots_.size(); }

 private:
  // A union, because there are tens of thousands.
  enum class SlotKind : std::uint32_t { Gauge, Total, Histogram };
  struct Slot {
    union {
      double gauge = 0;
      std::uint64_t* total;            // in the file or in plain_totals_
      PersistentHistogram* histogram;  // in the file or in plain_histograms_
    };
    std::uint64_t sent = 0;  // the value in the last message: total, count of a histogram or bits of a gauge
    std::uint32_t value_n = 0;  // the number of the first message with the present value
    std::uint32_t name_n : 30;  // and of the first message with its name; 0 before. Enough for 34 years
    SlotKind kind : 2;
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): the union holds one of the three
    Slot() : name_n(0), kind(SlotKind::Gauge) {}
    [[nodiscard]] std::uint64_t* total_or_null() const { return kind == SlotKind::Total ? total : nullptr; }
  };

  void open_counter_file();
  struct Storage {
    std::uint64_t* total = nullptr;
    PersistentHistogram* histogram = nullptr;
  };
  Storage make_storage(Metric metric, std::initializer_list<std::string_view> labels);
  Series intern(Metric metric, const LabelValues& labels, Storage storage);
  void put_values(Slot& slot, SeriesId id, bool full, Delta& out);
  static std::uint64_t value_of(const Slot& slot);

  CollectorOptions options_;
  std::uint64_t epoch_;
  std::uint64_t origin_;
  std::uint32_t message_count_ = 0;
  std::optional<CounterFile> file_;
  std::deque<std::uint64_t> plain_totals_;  // counters that are in no file; they never move
  std::deque<PersistentHistogram> plain_histograms_;
  PendingCounts pending_;
  SeriesTable series_;
  std::vector<Slot> slots_;  // by series
  Series series_count_, series_dropped_;
};

}  // namespace mdpipe::metrics

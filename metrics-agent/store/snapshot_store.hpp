#pragma once
// What all components have counted, merged from their messages. Counters and histograms never decrease while
// the agent runs: a cell keeps the last totals of ended origins beside those of the running one. Pure:
// messages and the time come in; the destinations (exposition, window, health) read series(), sources() and
// cells().
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "libshared/metrics/catalogue.hpp"
#include "libshared/metrics/delta.hpp"
#include "libshared/metrics/series_table.hpp"
#include "libshared/time/time.hpp"
#include "metrics-agent/store/histogram_sum.hpp"

namespace mdpipe::agent {

using SeriesIndex = std::uint32_t;
using SourceIndex = std::uint32_t;
using CellIndex = std::uint32_t;
inline constexpr CellIndex kNoCell = ~CellIndex{0};

using metrics::SeriesKey;

// One series of one source.
struct Cell {
  SeriesIndex series = 0;
  SourceIndex source = 0;
  CellIndex next = kNoCell;   // of the same series and another source
  std::uint64_t ended = 0;    // counters: sum of the last totals of ended origins
  std::uint64_t current = 0;  // and the running origin's
  double gauge = 0;
  std::uint64_t gauge_stamp = 0;  // grows with every message that set the gauge; 0 while it is unset
  struct Histogram {
    HistogramSum ended, current;
  };
  std::unique_ptr<Histogram> histogram;

  [[nodiscard]] std::uint64_t total() const { return ended + current; }
};

struct Source {
  std::string component, name;
  std::uint64_t epoch = 0;
  std::uint64_t origin = 0;
  std::uint64_t first_origin = 0;  // the first one whose totals were merged, 0 until then
  std::uint64_t message_n = 0;
  Moment last_seen{};
  bool up = true;
  bool said_goodbye = false;
  bool synced = false;                      // a full message of this epoch has named its series
  std::vector<CellIndex> cells_by_id;       // wire id -> cell, or kNoCell, or kRefused
  std::vector<CellIndex> cells;             // all of the source's, of every epoch
  std::vector<std::uint64_t> ended_epochs;  // the latest few: their stragglers are not restarts
  // The latest few with the counts of each. If a component finds its counter file again after it had to work
  // without it, its counters continue and are not added twice.
  struct EndedOrigin {
    std::uint64_t origin = 0;
    std::vector<std::pair<CellIndex, std::uint64_t>> totals;
    std::vector<std::pair<CellIndex, metrics::HistogramTotals>> histograms;
  };
  std::vector<EndedOrigin> ended_origins;
};

// What one message did; the caller counts and logs it.
struct Applied {
  enum class Verdict { Merged, NotSynced, Stale, Refused };
  Verdict verdict = Verdict::Merged;
  std::uint64_t messages_lost = 0;
  std::uint64_t series_refused = 0;
  bool is_new = false;         // a source that is new
  bool has_restarted = false;  // a new epoch
  bool is_back = false;        // it had been silent
  std::string reason;          // of a refusal, or of the first refused series
};

struct StoreLimits {
  std::size_t series_max = 50'000;  // cells, over all sources
  std::chrono::nanoseconds component_timeout = std::chrono::seconds(5);
};

class SnapshotStore {
 public:
  explicit SnapshotStore(StoreLimits limits) : limits_(limits) {}

  Applied apply(const metrics::Delta& delta, Moment now);

  void set_component_timeout(std::chrono::nanoseconds timeout) { limits_.component_timeout = timeout; }

  // Marks sources as down that sent nothing for the timeout; returns those that changed.
  std::vector<SourceIndex> expire(SteadyTime now);

  // The running totals of a source, as the source would send them; what the state file keeps. The series
  // refer to this store.
  [[nodiscard]] metrics::Delta totals(SourceIndex index) const;

  [[nodiscard]] const metrics::SeriesTable& series() const { return series_; }
  [[nodiscard]] const std::vector<Source>& sources() const { return sources_; }
  [[nodiscard]] const std::vector<Cell>& cells() const { return cells_; }
  [[nodiscard]] SeriesKey key(const Cell& cell) const { return series_[cell.series]; }
  [[nodiscard]] const metrics::MetricInfo& info(const Cell& cell) const { return series_.info(cell.series); }
  // The cells of a series: this one, and on by Cell::next until kNoCell.
  [[nodiscard]] CellIndex first_cell(SeriesIndex series) const { return first_cells_[series]; }

 private:
  Source* find_or_add(const metrics::Delta& delta, Moment now, Applied& applied);
  bool enter_epoch(Source& source, const metrics::Delta& delta, Applied& applied);
  void enter_origin(Source& source, std::uint64_t origin);
  void define(Source& source, const metrics::SeriesDefinition& definition, Applied& applied);
  [[nodiscard]] CellIndex find_cell(SeriesIndex series, SourceIndex source) const;
  CellIndex find_or_add_cell(Source& source, const metrics::SeriesDefinition& definition,
                             std::string& reason);
  void set_values(Source& source, const metrics::Delta& delta);
  Cell* cell_of(Source& source, metrics::SeriesId id);

  StoreLimits limits_;
  metrics::SeriesTable series_;
  std::vector<CellIndex> first_cells_;  // by series
  std::vector<Source> sources_;
  std::unordered_map<std::string, SourceIndex> sources_by_key_;
  std::vector<Cell> cells_;
  std::size_t histogram_count_ = 0;
  std::uint64_t stamp_ = 0;
};

// Whether a value is sent as a number with a fraction: gauges, and process_cpu_seconds_total.
bool is_gauge_on_wire(const metrics::MetricInfo& info);

// Labels must be UTF-8 of reasonable length, because one bad label would make all of /metrics unreadable.
bool is_label_text(std::string_view text);

}  // namespace mdpipe::agent

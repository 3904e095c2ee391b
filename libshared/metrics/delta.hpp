#pragma once
// The message in which a component tells metrics-agent what changed. Values are totals, those of counters
// and histograms since their origin, which may lie in an earlier life of the component (its epochs). So a
// lost message costs nothing once the next one arrives. A full message names every series; the ones between
// carry only what changed of late, by the number that the last full message or an addition gave the series.
//
// As msgpack: {"v":2, "component":str, "source":str, "epoch":int, "origin":int, "n":int, "time":int ns,
// "full":bool, "last":bool,
//   "series":[[id, name, [label value, ...]], ...], "counters":[[id, total], ...], "gauges":[[id, value],
//   ...], "histograms":[[id, count, sum_ns, [count at each of kLatencyBounds, not cumulative], [[bucket,
//   count], ...]], ...]}
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libshared/metrics/series_table.hpp"
#include "libshared/result/result.hpp"
#include "libshared/wire/byte_buffer.hpp"

namespace mdpipe::metrics {

inline constexpr std::uint32_t kMetricsWireVersion = 2;

using SeriesId = std::uint32_t;

struct SeriesDefinition {
  SeriesId id = 0;
  std::string_view name;  // a catalogue name
  LabelValues labels;     // in the catalogue's order of label names
};

// A list of definitions, which may be tens of thousands. It owns their text, all of it in one piece, or
// refers to a table or a message that has it.
class SeriesDefinitions {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = SeriesDefinition;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = SeriesDefinition;
    struct Arrow {
      SeriesDefinition definition;
      const SeriesDefinition* operator->() const { return &definition; }
    };

    Iterator(const SeriesDefinitions& list, std::size_t index) : list_(&list), index_(index) {}
    SeriesDefinition operator*() const { return (*list_)[index_]; }
    Arrow operator->() const { return {**this}; }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    bool operator==(const Iterator& other) const { return index_ == other.index_; }
    bool operator!=(const Iterator& other) const { return index_ != other.index_; }

   private:
    const SeriesDefinitions* list_;
    std::size_t index_;
  };

  // Takes the memory of so many, of usual length, at once: growing by doubling needs twice as much for a
  // moment.
  void reserve(std::size_t count);
  void push_back(const SeriesDefinition& definition);
  // Empties the list. From here on it holds series of `table`, which lives as long as it, by their numbers
  // there.
  void refer_to(const SeriesTable& table);
  void push_back(SeriesId id, std::uint32_t series);
  // Empties the list. From here on it holds definitions that stand in `message`, which lives as long as it.
  void refer_to(std::string_view message);
  // `at`: where name and label values stand, as msgpack that has been read before.
  void push_back(SeriesId id, const char* at);
  // Copies what it refers to, and owns it from here on.
  void take_over();
  // Its views are valid until the list changes.
  SeriesDefinition operator[](std::size_t index) const;
  void clear();
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] Iterator begin() const { return {*this, 0}; }
  [[nodiscard]] Iterator end() const { return {*this, size()}; }

 private:
  struct Entry {
    SeriesId id;
    std::uint32_t place;  // of name and labels: the number in table_, or where they stand in message_ or own_
  };

  const SeriesTable* table_ = nullptr;
  std::string_view message_;
  wire::ByteBuffer own_;
  std::vector<Entry> entries_;
};

struct HistogramTotals {
  std::uint64_t count = 0;
  double sum_ns = 0;
  std::vector<std::uint64_t>
      bounds;  // observations in each bucket of kLatencyBounds, not cumulative; beyond: count - sum
  std::vector<std::pair<std::uint32_t, std::uint64_t>>
      buckets;  // quantile buckets that are not empty: (bucket, count)
};

struct Delta {
  std::string component;     // "ws-reader"
  std::string source;        // which of them: "gmo"
  std::uint64_t epoch = 0;   // when this life of it began
  std::uint64_t origin = 0;  // when its counts began; an earlier life's epoch where they were kept
  std::uint64_t n = 0;       // 1, 2, 3, ... in the epoch
  std::int64_t time_ns = 0;  // wall clock of the sender
  bool full = false;         // every series is in it
  bool last = false;         // the component says goodbye
  SeriesDefinitions series;
  std::vector<std::pair<SeriesId, std::uint64_t>> counters;
  std::vector<std::pair<SeriesId, double>> gauges;
  std::vector<std::pair<SeriesId, HistogramTotals>> histograms;
};

void encode(const Delta& delta, wire::ByteBuffer& out);

// Protocol errors name the version or the part that is wrong; nothing of a wrong message is used. The series
// refer to `bytes`.
Result<Delta> decode_delta(std::string_view bytes);

}  // namespace mdpipe::metrics

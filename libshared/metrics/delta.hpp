#pragma once
// The message that tells metrics-agent what changed in a component. Values are totals; those of counters and
// histograms count from their origin, which may be in an earlier run of the component (an earlier epoch). So
// a lost message costs nothing once the next one arrives. A full message names every series; the messages
// between two full ones have only recent changes, by the number that a full message or an addition gave the
// series.
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

// A list of definitions, of which there may be tens of thousands. It owns their text, all of it in one piece,
// or refers to a table or a message that owns it.
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

  // Allocates memory for this many definitions of usual length at once: growth by doubling would briefly need
  // twice as much.
  void reserve(std::size_t count);
  void push_back(const SeriesDefinition& definition);
  // Empties the list. After this it holds series of `table` by their numbers there. `table` must outlive the
  // list.
  void refer_to(const SeriesTable& table);
  void push_back(SeriesId id, std::uint32_t series);
  // Empties the list. After this it holds definitions that are in `message`, which must outlive the list.
  void refer_to(std::string_view message);
  // `at`: the position of name and label values in the message, as msgpack that has been read before.
  void push_back(SeriesId id, const char* at);
  // Copies the text it refers to, and owns it.
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
    std::uint32_t place;  // of name and labels: the number in table_, or the position in message_ or own_
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
  std::uint64_t epoch = 0;   // when this run of it began
  std::uint64_t origin = 0;  // when its counts began: an earlier run's epoch if they are persistent
  std::uint64_t n = 0;       // 1, 2, 3, ... in the epoch
  std::int64_t time_ns = 0;  // wall clock of the sender
  bool full = false;         // every series is in it
  bool last = false;         // the component stops
  SeriesDefinitions series;
  std::vector<std::pair<SeriesId, std::uint64_t>> counters;
  std::vector<std::pair<SeriesId, double>> gauges;
  std::vector<std::pair<SeriesId, HistogramTotals>> histograms;
};

void encode(const Delta& delta, wire::ByteBuffer& out);

// Protocol errors name the version or the part that is wrong. Nothing of a wrong message is used. The series
// are views into `bytes`.
Result<Delta> decode_delta(std::string_view bytes);

}  // namespace mdpipe::metrics

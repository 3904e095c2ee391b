#pragma once
// A component's counters and histograms in a file of the runtime folder, mapped into memory. They outlive
// kill -9, and the next run continues from them. Gauges are not in it. After a reboot all counters start at
// 0. Counting is a write to memory; only a new series needs system calls.
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libshared/metrics/pending_counts.hpp"
#include "libshared/metrics/persistent_histogram.hpp"
#include "libshared/result/result.hpp"

namespace mdpipe::metrics {

struct CounterFileOptions {
  std::string path;
  std::string component, source;  // whose counters; a file of another component is not used
  std::size_t counters_max = 0;
  std::size_t pending_max = 0;  // the most series that one set of pending counts changes; 0 if there are none
  std::string boot_id;          // process::read_boot_id(); a file of another boot starts again at 0
  std::size_t histograms_max = 0;
};

class CounterFile {
 public:
  struct Counter {
    std::string name;  // a catalogue name
    std::vector<std::string> labels;
    std::uint64_t* total = nullptr;            // valid while the CounterFile is; null for a histogram
    PersistentHistogram* histogram = nullptr;  // the same; null for a counter
  };

  // Opens or creates the file; `new_origin` is the origin of a new file. A file that is damaged, of another
  // version or of another component is renamed to "<path>.unusable" with a warning. An error if the file
  // cannot be created, or if a running process holds it: then the caller counts in plain memory.
  static Result<CounterFile> open(const CounterFileOptions& options, std::uint64_t new_origin);

  CounterFile(CounterFile&& other) noexcept;
  CounterFile& operator=(CounterFile&& other) noexcept;
  CounterFile(const CounterFile&) = delete;
  CounterFile& operator=(const CounterFile&) = delete;
  ~CounterFile();  // the file stays

  // The epoch in which its counters were 0.
  [[nodiscard]] std::uint64_t origin() const;
  // What earlier runs counted.
  [[nodiscard]] const std::vector<Counter>& recovered() const { return recovered_; }
  // The same, moved out, so that the names of thousands of counters are not stored twice.
  std::vector<Counter> take_recovered() { return std::move(recovered_); }
  // A new counter at 0; null if the file is full or cannot grow. A name that is already in the file must not
  // be added again.
  std::uint64_t* add(std::string_view name, std::initializer_list<std::string_view> labels);
  // The same for a histogram.
  PersistentHistogram* add_histogram(std::string_view name, std::initializer_list<std::string_view> labels);
  // Sets everything to 0, with the new origin.
  void restart(std::uint64_t origin);
  // The memory for pending counts, so that they outlive the process too.
  [[nodiscard]] PendingRegion pending_region();

 private:
  struct Header;
  enum class Found { Usable, Fresh, Unusable };

  CounterFile() = default;
  Result<bool> lock(const std::string& path);
  Found examine(const CounterFileOptions& options, std::string& why);
  bool read_counters(std::string& why);
  bool repair_histograms();
  Result<bool> create(const CounterFileOptions& options, std::uint64_t origin);
  bool map(std::size_t bytes);
  void unmap();
  bool preallocate(std::uint64_t histograms);
  bool append_name(char kind, std::string_view name, std::initializer_list<std::string_view> labels);
  [[nodiscard]] Header& header() const;
  [[nodiscard]] std::uint64_t* totals() const;
  [[nodiscard]] PersistentHistogram* histograms() const;

  int fd_ = -1;
  char* memory_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  std::vector<Counter> recovered_;
};

// "<folder>/counters-<component>-<source>", all but letters, digits, '.', '_' and '-' as %XX.
std::string counter_file_path(std::string_view folder, std::string_view component, std::string_view source);

}  // namespace mdpipe::metrics

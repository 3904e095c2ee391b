#pragma once
// Windows: what was counted between two instants of the monotonic clock. Each count belongs to exactly one
// window, also across a restart of the agent, because the book starts from the totals that earlier windows
// have covered. Pure. The window log and the forwarders of increments read the same Window.
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "libshared/metrics/delta.hpp"
#include "libshared/time/time.hpp"
#include "metrics-agent/store/snapshot_store.hpp"

namespace mdpipe::agent {

// The component name of the messages in WindowCheckpoint::undelivered; their source is the destination.
inline constexpr std::string_view kDestinationComponent = "destination";

struct Window {
  std::chrono::nanoseconds span{};
  std::vector<std::uint64_t> counts;                           // by cell: increments of counters
  std::vector<std::pair<CellIndex, HistogramSum>> histograms;  // only those with observations
};

// What survives a restart of the agent.
struct WindowCheckpoint {
  std::optional<SteadyTime> end;  // of the last window; nothing after a reboot, because the clock restarted
  std::vector<metrics::Delta> covered;      // totals that were in windows, one a source, of one origin
  std::vector<metrics::Delta> undelivered;  // counts of windows that a destination has not accepted yet
};

class WindowBook {
 public:
  WindowBook(SteadyTime now, WindowCheckpoint checkpoint);

  // Ends the running window and starts the next one.
  Window close(const SnapshotStore& store, SteadyTime now);

  // Where the last window ended. Sources that have not reported since the restart keep their earlier entry.
  // Its series refer to the store.
  [[nodiscard]] WindowCheckpoint checkpoint(const SnapshotStore& store) const;

 private:
  struct Covered {
    std::uint64_t counter = 0;
    std::unique_ptr<HistogramSum> histogram;
  };

  void adopt_checkpoint(const SnapshotStore& store);
  void seed(const SnapshotStore& store, const Source& source, const metrics::Delta& covered);

  SteadyTime begin_;
  std::vector<metrics::Delta> restored_;
  std::vector<Covered> covered_;  // by cell
};

}  // namespace mdpipe::agent

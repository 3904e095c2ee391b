#pragma once
// Ends windows: closes the book, hands the window to the forwarders, writes one log line for each exchange,
// and saves where the next window begins and which counts each destination has not accepted yet.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/time/time.hpp"
#include "metrics-agent/window/forwarder.hpp"
#include "metrics-agent/window/window.hpp"
#include "metrics-agent/window/window_state.hpp"

namespace mdpipe::agent {

using Forwarders = std::vector<std::unique_ptr<Forwarder>>;

class WindowWriter {
 public:
  // Borrows the store and the forwarders, and restores the forwarders from the state of the previous run.
  WindowWriter(const SnapshotStore& store, const Forwarders& forwarders, const std::string& state_folder,
               SteadyTime now);

  void end_window(SteadyTime now);

  // A destination has accepted counts between two windows.
  void save_progress(std::string_view destination);

 private:
  WindowCheckpoint load(const Forwarders& forwarders);
  void cover();
  void encode_forwarder(std::size_t index);
  void stage();

  const SnapshotStore& store_;
  const Forwarders& forwarders_;
  std::string boot_id_;
  WindowStateFile file_;
  WindowBook book_;
  std::optional<SteadyTime> end_;           // of the last window
  StateMessages covered_;                   // by it
  std::vector<StateMessages> undelivered_;  // by forwarder
};

}  // namespace mdpipe::agent

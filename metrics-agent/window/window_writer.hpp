#pragma once
// Ends windows: closes the book, hands the window to the forwarders, writes one log line an exchange and
// saves where the next window begins and what each destination has not taken yet.
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
  // Borrows the store and the forwarders, and gives the latter what an earlier life has left for them.
  WindowWriter(const SnapshotStore& store, const Forwarders& forwarders, const std::string& state_folder,
               SteadyTime now);

  void end_window(SteadyTime now);

  // A destination has taken something between two windows.
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

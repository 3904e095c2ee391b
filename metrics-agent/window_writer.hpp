#pragma once
// Ends windows: closes the book, writes one log line an exchange and saves where the next window begins.
#include "libshared/time/time.hpp"
#include "metrics-agent/window.hpp"
#include "metrics-agent/window_state.hpp"

namespace mdpipe::agent {

class WindowWriter {
 public:
  WindowWriter(const SnapshotStore& store, const std::string& state_folder, SteadyTime now);

  void end_window(SteadyTime now);

 private:
  const SnapshotStore& store_;  // borrowed
  std::string boot_id_;
  WindowStateFile file_;
  WindowBook book_;
};

}  // namespace mdpipe::agent

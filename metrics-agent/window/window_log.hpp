#pragma once
// The window log: one line for each exchange, in the format of the design page. Pure: a window and the store
// in, JSON out.
//
// Errors carry no exchange. Those of a source that serves one exchange go to that exchange's line. Those of a
// source that serves none or several (md-publisher, metrics-agent) go to the only exchange's line where one
// is known, else to a line of their own whose exchange is "", written only if it has errors. So the lines
// add up to the totals.
#include <string>
#include <vector>

#include "metrics-agent/store/snapshot_store.hpp"
#include "metrics-agent/window/window.hpp"

namespace mdpipe::agent {

struct WindowLine {
  std::string exchange;
  std::string metrics;  // the JSON object of the field "metrics"
};

// Sorted by exchange; nothing before an exchange is known and an error has happened.
std::vector<WindowLine> window_lines(const SnapshotStore& store, const Window& window);

// Three significant digits in plain notation: 0.412, 12.3, 456.
std::string three_digits(double value);

}  // namespace mdpipe::agent

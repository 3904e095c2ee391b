#pragma once
// A destination of the metrics besides the window log and /metrics. All destinations get the same windows, so
// their sums agree. They run in the program's loop and must not block: counts that cannot be sent now stay in
// Undelivered, which the state file preserves over a restart.
#include <optional>
#include <string_view>

#include "libshared/metrics/delta.hpp"
#include "metrics-agent/window/window.hpp"

namespace mdpipe::agent {

class Forwarder {
 public:
  virtual ~Forwarder() = default;
  Forwarder() = default;
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;

  // Also the label `destination` of its metrics: "statsd".
  [[nodiscard]] virtual std::string_view name() const = 0;

  // A window has ended: add its increments, and send what can be sent.
  virtual void on_window(const Window& window) = 0;

  // Writes the window of the last on_window to standard output. Called together with the window log, right
  // before the state file is replaced, so that a kill repeats nothing.
  virtual void write_lines() {}

  // The state for the next run of the agent; nothing for destinations of totals. `restore` is called
  // before the first window.
  [[nodiscard]] virtual std::optional<metrics::Delta> state() const { return std::nullopt; }
  virtual void restore(const metrics::Delta& /*state*/) {}

  // The program ends, and no window follows: send now what would be sent later.
  virtual void finish() {}
  // Afterwards: whether nothing is being sent any more.
  [[nodiscard]] virtual bool is_idle() const { return true; }
};

}  // namespace mdpipe::agent

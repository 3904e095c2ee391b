#pragma once
// A destination of the metrics beside the window log and /metrics. All of them are given the same windows, so
// that their sums agree. They run in the program's loop and may not wait: what cannot be sent now is kept as
// Undelivered, which the state file carries over a restart.
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

  // A window has ended: take its increments and send what can be sent.
  virtual void on_window(const Window& window) = 0;

  // What a destination has to say on standard output about the window that on_window has seen. Called beside
  // the window log, right before the state file takes its place, so that a kill repeats nothing.
  virtual void write_lines() {}

  // What a restart of the agent has to know; nothing for destinations that take totals. `restore` is called
  // before the first window.
  [[nodiscard]] virtual std::optional<metrics::Delta> state() const { return std::nullopt; }
  virtual void restore(const metrics::Delta& /*state*/) {}

  // The program ends, and no window follows: send what was to wait for its time.
  virtual void finish() {}
  // Then: whether nothing is on its way any more.
  [[nodiscard]] virtual bool is_idle() const { return true; }
};

}  // namespace mdpipe::agent

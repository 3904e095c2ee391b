#pragma once
// Writes each window's EMF documents as log lines beside the window log, from which CloudWatch Logs makes
// metrics.
#include <vector>

#include "metrics-agent/forward/destination_counts.hpp"
#include "metrics-agent/forward/emf/emf.hpp"
#include "metrics-agent/window/forwarder.hpp"

namespace mdpipe::agent {

class EmfLog final : public Forwarder {
 public:
  // Borrows the store and the counters.
  EmfLog(const SnapshotStore& store, EmfOptions options, metrics::MetricsCollector& own);

  [[nodiscard]] std::string_view name() const override { return "emf"; }
  void on_window(const Window& window) override;
  void write_lines() override;

 private:
  const SnapshotStore& store_;
  EmfOptions options_;
  DestinationCounts counts_;
  std::vector<EmfDocument> documents_;  // of the window that has just ended
};

}  // namespace mdpipe::agent

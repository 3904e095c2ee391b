#include "metrics-agent/forward/emf/emf_log.hpp"

#include <utility>

#include "libshared/log/log.hpp"

namespace mdpipe::agent {

EmfLog::EmfLog(const SnapshotStore& store, EmfOptions options, metrics::MetricsCollector& own)
    : store_(store), options_(std::move(options)), counts_(own, "emf", {}, {}) {}

void EmfLog::on_window(const Window& window) {
  documents_ = emf_documents(store_, window, options_, wall_now());
}

void EmfLog::write_lines() {
  for (const EmfDocument& document : std::exchange(documents_, {})) {
    log::write_members(log::Level::Info, "emf", document.members);
    counts_.forwarded(document.points);
  }
}

}  // namespace mdpipe::agent

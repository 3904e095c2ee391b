#pragma once
// The store as Prometheus text. Two name profiles serve the same counts: the default one with the catalogue's
// names, and `ws` (names_ws.hpp) for dashboards that already use its names; what `ws` has no name for keeps
// the catalogue's.
#include <string>

#include "metrics-agent/store/snapshot_store.hpp"

namespace mdpipe::agent {

enum class NameProfile { Collector, Ws };

// Replaces what is in `out`, whose memory is used where it suffices.
void write_exposition(const SnapshotStore& store, NameProfile profile, std::string& out);

}  // namespace mdpipe::agent

#pragma once
// The answer of /healthz: the reasons why data may not be flowing; none if all is well. Pure.
#include <string>
#include <vector>

#include "metrics-agent/store/snapshot_store.hpp"

namespace mdpipe::agent {

// One sentence for each reason; feeds last, at most twenty of them by name. `now` is the wall clock.
// `own_component` is the agent itself, which collects nothing itself.
std::vector<std::string> health_reasons(const SnapshotStore& store, std::string_view own_component,
                                        UnixNanos now);

}  // namespace mdpipe::agent

#pragma once
// Converts the options for the parts of the simulator. options.hpp reads and checks
// them.
#include <cstdint>

#include "tools/exchange-sim/exchange.hpp"
#include "tools/exchange-sim/misbehaviour.hpp"
#include "tools/exchange-sim/options.hpp"
#include "tools/exchange-sim/pacer.hpp"

namespace mdpipe::sim {

MisbehaviourOptions misbehaviour_of(const Options& o);
ExchangeOptions exchange_config_of(const Options& o);
Burst burst_of(const Options& o);

// The number of events between two snapshots of a book, at this rate.
std::uint64_t events_per_snapshot(const Options& o, double rate);

// For options whose range begins at 0.
inline std::uint64_t unsigned_of(std::int64_t value) { return static_cast<std::uint64_t>(value); }

}  // namespace mdpipe::sim

#pragma once
// Price levels and steps of the simulated symbols. A name that is not in the table gets plausible made-up
// ones, so a test may use any names and any number of them.
#include <string>
#include <string_view>

#include "tools/exchange-sim/market.hpp"

namespace mdpipe::sim {

SymbolSpec spec_of(std::string_view exchange, const std::string& symbol);

}  // namespace mdpipe::sim

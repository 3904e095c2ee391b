#pragma once
// The adapters by name. CMake makes the list from the folders beside this file.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ws-reader/venues/adapter.hpp"

namespace mdpipe::venues {

std::vector<std::string> exchange_names();

// Null if there is no such exchange.
std::unique_ptr<Adapter> make_adapter(std::string_view exchange);

}  // namespace mdpipe::venues

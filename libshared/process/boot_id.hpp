#pragma once
// Which boot of the host this is. Files that are only valid until the next boot name it.
#include <string>

namespace mdpipe::process {

// The running kernel's random ID; empty if /proc does not show it.
std::string read_boot_id();

}  // namespace mdpipe::process

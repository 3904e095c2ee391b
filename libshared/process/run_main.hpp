#pragma once
// What every main() does around its own work: read the options, run, and turn an error into one sentence on
// standard error and an exit code of exit_code.hpp.
#include <functional>

#include "libshared/config/options.hpp"

namespace mdpipe::process {

// Calls `run` after loading the options, unless the command line only asks to show something.
int run_main(config::OptionTable& options, int argc, const char* const* argv,
             const std::function<int()>& run);

}  // namespace mdpipe::process

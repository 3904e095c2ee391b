#pragma once
// What every main() does around its own work: read the options, run, turn whatever went wrong into one
// sentence on standard error and the exit code of exit_code.hpp.
#include <functional>

#include "libshared/config/options.hpp"

namespace mdpipe::process {

// `run` is called once the options are loaded, unless the command line asked only to show something.
int run_main(config::OptionTable& options, int argc, const char* const* argv,
             const std::function<int()>& run);

}  // namespace mdpipe::process

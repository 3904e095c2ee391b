#include "libshared/process/run_main.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "libshared/process/exit_code.hpp"
#include "libshared/process/memory.hpp"

namespace mdpipe::process {
namespace {

int fail(const config::OptionTable& options, const Error& error) {
  fmt::print(stderr, "{}: {}\n", options.program(), error.message);
  return exit_code(error.kind);
}

}  // namespace

int run_main(config::OptionTable& options, int argc, const char* const* argv,
             const std::function<int()>& run) {
  set_up_allocator();
  try {
    const auto loaded = options.load(argc, argv);
    if (!loaded) return fail(options, loaded.error());
    if (loaded.value().action == config::Action::ShowAndExit) {
      fmt::print("{}", loaded.value().text);
      return kOk;
    }
    return run();
  } catch (const StartupError& startup) {
    return fail(options, startup.error);
  } catch (const std::exception& error) {
    return fail(options, Error{ErrorKind::Internal, fmt::format("internal error: {}", error.what())});
  }
}

}  // namespace mdpipe::process

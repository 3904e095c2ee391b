// exchange-sim: a simulated exchange for testing market data clients.
#include "libshared/log/log.hpp"
#include "libshared/process/run_main.hpp"
#include "tools/exchange-sim/options.hpp"
#include "tools/exchange-sim/server.hpp"

int main(int argc, char** argv) {
  using namespace mdpipe;
  sim::Options options;
  config::OptionTable table = sim::option_table(options);
  table.validate_with([&] { return sim::finish_options(table, options); });
  return process::run_main(table, argc, argv, [&options] {
    log::configure("exchange-sim", log::parse_level(options.log_level).value_or(log::Level::Info), 1);
    return sim::serve(options);
  });
}

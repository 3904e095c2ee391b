#include <unistd.h>

#include "libshared/log/log.hpp"
#include "libshared/process/run_main.hpp"
#include "md-publisher/app.hpp"
#include "md-publisher/config.hpp"

int main(int argc, char** argv) {
  using namespace mdpipe;
  publisher::Config config;
  config::OptionTable options(
      "md-publisher",
      "Writes the events of all readers to Redis Streams, each exactly once, and says how far it got.");
  publisher::add_options(options, config);
  return process::run_main(options, argc, argv, [&config] {
    log::configure("md-publisher", *log::parse_level(config.log_level), STDOUT_FILENO);
    return publisher::App(config).run();
  });
}

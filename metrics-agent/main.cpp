#include <unistd.h>

#include "libshared/log/log.hpp"
#include "libshared/process/run_main.hpp"
#include "metrics-agent/app.hpp"
#include "metrics-agent/config.hpp"

int main(int argc, char** argv) {
  mdpipe::agent::Config config;
  mdpipe::config::OptionTable options(
      "metrics-agent", "Merges the metrics of all mdpipe components, logs windows and serves Prometheus.");
  mdpipe::agent::declare_options(options, config);
  return mdpipe::process::run_main(options, argc, argv, [&config] {
    mdpipe::log::configure("metrics-agent", *mdpipe::log::parse_level(config.log_level), STDOUT_FILENO);
    return mdpipe::agent::App(config).run();
  });
}

#include <unistd.h>

#include "libshared/log/log.hpp"
#include "libshared/process/run_main.hpp"
#include "metrics-agent/app.hpp"
#include "metrics-agent/config.hpp"

int main(int argc, char** argv) {
  using namespace mdpipe;
  process::Settings<agent::Config> settings(
      {"metrics-agent",
       "Merges the metrics of all mdpipe components, logs them, and serves /metrics and /healthz.",
       agent::add_options, argc, argv});
  return process::run_main(settings.options, argc, argv, [&settings] {
    log::configure("metrics-agent", *log::parse_level(settings.config.log_level), STDOUT_FILENO);
    return agent::App(settings).run();
  });
}

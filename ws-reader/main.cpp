#include <unistd.h>

#include "libshared/log/log.hpp"
#include "libshared/process/run_main.hpp"
#include "ws-reader/app.hpp"
#include "ws-reader/config.hpp"

int main(int argc, char** argv) {
  using namespace mdpipe;
  process::Settings<reader::Config> settings({"ws-reader",
                                              "Reads the public WebSocket of one exchange, converts its "
                                              "frames to events, and sends them to md-publisher.",
                                              reader::add_options, argc, argv});
  return process::run_main(settings.options, argc, argv, [&settings] {
    const reader::Config& config = settings.config;
    log::configure("ws-reader", *log::parse_level(config.log_level),
                   config.to_stdout ? STDERR_FILENO : STDOUT_FILENO);
    return reader::App(settings).run();
  });
}

#include <unistd.h>

#include "libshared/log/log.hpp"
#include "libshared/process/run_main.hpp"
#include "libshared/settings/settings.hpp"
#include "md-publisher/app.hpp"
#include "md-publisher/config.hpp"

int main(int argc, char** argv) {
  using namespace mdpipe;
  process::Settings<publisher::Config> settings(
      {"md-publisher",
       "Writes the events of all readers to Redis Streams, each exactly once, and reports what is confirmed.",
       publisher::add_options, argc, argv});
  const auto reload = [&settings](publisher::App& app) {
    process::reload<publisher::Config>(settings, [&](const publisher::Config& fresh) {
      settings.config.log_level = fresh.log_level;
      log::set_level(*log::parse_level(fresh.log_level));
      settings.config.security.take_peers(fresh.security);
      app.set_peers(fresh.security.peers());
    });
  };
  return process::run_main(settings.options, argc, argv, [&] {
    log::configure("md-publisher", *log::parse_level(settings.config.log_level), STDOUT_FILENO);
    return publisher::App(settings.config, reload).run();
  });
}

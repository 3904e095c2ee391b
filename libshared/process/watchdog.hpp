#pragma once
// Feeds systemd's watchdog from the event loop, so that systemd restarts a program whose loop hangs.
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "libshared/process/notify.hpp"

namespace mdpipe::process {

class Watchdog {
 public:
  // Borrows both; they must outlive the watchdog.
  Watchdog(asio::io_context& io, Notifier& notifier) : timer_(io), notifier_(notifier) {}

  // Call once. Does nothing if the unit sets no WatchdogSec; else the loop always has this timer to wait for.
  void start();

 private:
  asio::steady_timer timer_;
  Notifier& notifier_;
};

}  // namespace mdpipe::process

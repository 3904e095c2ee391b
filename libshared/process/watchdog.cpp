#include "libshared/process/watchdog.hpp"

namespace mdpipe::process {

void Watchdog::start() {
  const auto interval = notifier_.watchdog_interval();
  if (!interval) return;
  notifier_.watchdog();
  timer_.expires_after(*interval);
  timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec) start();
  });
}

}  // namespace mdpipe::process

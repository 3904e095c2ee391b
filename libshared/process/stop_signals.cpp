#include "libshared/process/stop_signals.hpp"

#include <unistd.h>

#include <csignal>
#include <utility>

#include "libshared/process/exit_code.hpp"

namespace mdpipe::process {

StopSignals::StopSignals(asio::io_context& io, std::function<void(int)> on_stop,
                         std::function<void()> on_reload)
    : signals_(io, SIGTERM, SIGINT, SIGHUP), on_stop_(std::move(on_stop)), on_reload_(std::move(on_reload)) {
  (void)std::signal(SIGPIPE,
                    SIG_IGN);  // a closed pipe or socket is an error code, not the end of the process
  wait();
}

void StopSignals::wait() {
  signals_.async_wait([this](const asio::error_code& ec, int signal) {
    if (ec) return;
    if (signal == SIGHUP) {
      if (on_reload_) on_reload_();
    } else if (stopping_) {
      _exit(kOk);
    } else {
      stopping_ = true;
      on_stop_(signal);
    }
    wait();
  });
}

}  // namespace mdpipe::process

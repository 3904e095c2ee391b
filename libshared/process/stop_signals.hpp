#pragma once
// SIGTERM and SIGINT as events in the loop: the first asks to stop, the second stops at once. SIGHUP asks to
// reload.
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <functional>

namespace mdpipe::process {

class StopSignals {
 public:
  // `on_stop` runs once, in the loop. A second SIGTERM or SIGINT exits the process immediately with 0.
  StopSignals(asio::io_context& io, std::function<void(int signal)> on_stop,
              std::function<void()> on_reload = {});

 private:
  void wait();

  asio::signal_set signals_;
  std::function<void(int)> on_stop_;
  std::function<void()> on_reload_;
  bool stopping_ = false;
};

}  // namespace mdpipe::process

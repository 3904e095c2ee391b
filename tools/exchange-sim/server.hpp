#pragma once
// The sockets: a WebSocket (and for Binance HTTP) server on one port, the control socket, signals and timers,
// around a Simulator. Everything of websocketpp stays in server.cpp, which takes long to compile.
#include "tools/exchange-sim/options.hpp"

namespace mdpipe::sim {

// Serves until asked to stop and returns the exit code. Throws process::StartupError where it cannot start.
int serve(const Options& options);

}  // namespace mdpipe::sim

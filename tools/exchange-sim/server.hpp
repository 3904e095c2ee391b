#pragma once
// The sockets: a WebSocket server (and HTTP for Binance) on one port, the control socket, signals and timers,
// around a Simulator. websocketpp stays in server.cpp, which takes long to compile.
#include "tools/exchange-sim/options.hpp"

namespace mdpipe::sim {

// Serves until a stop is requested and returns the exit code. Throws process::StartupError if it cannot
// start.
int serve(const Options& options);

}  // namespace mdpipe::sim

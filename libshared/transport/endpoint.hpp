#pragma once
// Names of ZeroMQ endpoints: the defaults in the runtime folder, and the lock that guards a bound ipc path.
#include <optional>
#include <string>
#include <string_view>

#include "libshared/process/lock_file.hpp"
#include "libshared/result/result.hpp"

namespace mdpipe::transport {

// "ipc:///run/mdpipe/events" from ("/run/mdpipe", "events").
std::string ipc_endpoint(std::string_view runtime_dir, std::string_view name);

// Checks "ipc://PATH" and "tcp://HOST:PORT". BadConfig names `option` and the mistake.
Result<bool> check_endpoint(std::string_view option, std::string_view endpoint);

bool is_tcp(std::string_view endpoint);
// Whether data of a tcp endpoint stays on this host: an address of 127.0.0.0/8, ::1 or "localhost".
bool is_loopback(std::string_view endpoint);

// Locks "<path>.lock" of an ipc endpoint before it is bound; nothing for tcp, where the kernel refuses a
// second bind.
Result<std::optional<process::LockFile>> guard_bind(std::string_view endpoint);

}  // namespace mdpipe::transport

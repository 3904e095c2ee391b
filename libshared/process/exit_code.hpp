#pragma once
// The exit codes of every mdpipe program, as in sysexits.h. systemd does not restart after 64 and 78.
#include <utility>

#include "libshared/result/result.hpp"

namespace mdpipe::process {

enum ExitCode { kOk = 0, kUsage = 64, kUnavailable = 69, kInternal = 70, kConfig = 78 };

constexpr ExitCode exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::BadUsage:
      return kUsage;
    case ErrorKind::BadConfig:
      return kConfig;
    case ErrorKind::Unavailable:
      return kUnavailable;
    case ErrorKind::Protocol:
    case ErrorKind::Internal:
      return kInternal;
  }
  return kInternal;
}

// Thrown only while a program starts; run_main turns it into one sentence and an exit code.
struct StartupError {
  Error error;
};

// The value; throws StartupError if there is none.
template <typename T>
T value_or_throw(Result<T> result) {
  if (!result) throw StartupError{result.error()};
  return std::move(result.value());
}

}  // namespace mdpipe::process

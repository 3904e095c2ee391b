#pragma once
// Result<T>: a value or an Error, for every boundary that can fail (decode, send, parse, configure).
// Not for expected outcomes: would-block, timeout and closed are values of small enums.
#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace mdpipe {

enum class ErrorKind {
  BadUsage,     // the command line is wrong: exit 64
  BadConfig,    // a configured value is wrong: exit 78
  Unavailable,  // a dependency is not available now: retried, exit 69 only with --no-retry
  Protocol,     // a peer broke its protocol: counted, and the connection is closed or the input
                // skipped
  Internal,     // our own fault: exit 70
};

struct Error {
  ErrorKind kind;
  std::string message;  // one sentence: what was tried, on what, the result, the remedy
};

template <typename T>
class [[nodiscard]] Result {
 public:
  // Both are implicit, so that `return value;` and `return Error{...};` work.
  Result(T value) : state_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return std::holds_alternative<T>(state_); }
  explicit operator bool() const { return ok(); }
  T& value() { return std::get<T>(state_); }
  const T& value() const { return std::get<T>(state_); }
  [[nodiscard]] const Error& error() const { return std::get<Error>(state_); }

 private:
  std::variant<T, Error> state_;
};

}  // namespace mdpipe

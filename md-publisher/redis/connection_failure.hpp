#pragma once
// Why a connection to Redis could not be made, or why it ended: one classification for redis://, rediss://,
// Sentinels and a Cluster. Pure: an error code, a reply or a time comes in, a reason and a remedy come out.
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "md-publisher/redis/redis_error.hpp"
#include "md-publisher/redis/redis_url.hpp"

namespace mdpipe::publisher {

// Without `error` the network or the server failed, which may pass by itself.
struct ConnectionFailure {
  std::string reason;               // what was tried, on which address, what came back
  std::string remedy;               // what a person can do; empty if `error` says it
  std::optional<RedisError> error;  // an error of Redis, or one of TLS that only a person can end
};

inline RetryPolicy policy_of(const ConnectionFailure& failure) {
  return failure.error ? info(failure.error->kind).policy : RetryPolicy::Reconnect;
}

// How far a connection has come.
enum class ConnectionPhase { Closed, Resolve, Connect, Tls, Handshake, Open };

// A connection, as a failure describes it. Borrows the address.
struct ConnectionState {
  const RedisAddress& to;
  std::string peer;  // the address that is tried: "127.0.0.1:6379"; empty while the name is being resolved
  ConnectionPhase phase = ConnectionPhase::Closed;
  bool has_answered = false;  // at least one byte came

  // "127.0.0.1:6379", or "redis.example:6379 (127.0.0.1:6379)" if the URL has a name.
  [[nodiscard]] std::string display() const;
};

ConnectionFailure failure_of(const ConnectionState& connection, const std::error_code& ec);
// The limit of the present phase passed. `option` names the option that sets it, if one does.
ConnectionFailure timeout_of(const ConnectionState& connection, std::chrono::milliseconds limit,
                             std::string_view option);
ConnectionFailure failure_of(const ConnectionState& connection, const RedisError& error);
// What came is not Redis's protocol.
ConnectionFailure no_redis(const ConnectionState& connection, std::string_view first_bytes,
                           std::string_view why);

}  // namespace mdpipe::publisher

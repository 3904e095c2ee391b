#include "md-publisher/redis/connection_failure.hpp"

#include <fmt/format.h>

#include "md-publisher/redis/tls_failure.hpp"

namespace mdpipe::publisher {
namespace {

// A server that does not speak TLS and one that does not speak anything else look alike to a client that
// guessed wrong: the one waits, the other closes. So these two are suspected only.
constexpr std::string_view kWriteRedis = "if the port does not speak TLS, write redis://";
constexpr std::string_view kWriteRediss = "if the port speaks TLS, write rediss://";

constexpr char kTlsAlert = 0x15;  // the first byte of a TLS record that carries an alert

ConnectionFailure closed_in_tls(const ConnectionState& connection, const std::error_code& ec) {
  return {
      fmt::format("{} closed the connection during the TLS handshake: {}", connection.display(),
                  ec.message()),
      "Redis gives no reason if it has reached maxclients or is in protected mode, and a port without TLS "
      "gives none: see its log and --redis-url.",
      std::nullopt};
}

ConnectionFailure closed_unanswered(const ConnectionState& connection, const std::error_code& ec) {
  return {
      fmt::format("{} closed the connection before it answered anything: {}; {}", connection.display(),
                  ec.message(), kWriteRediss),
      "If --redis-url names a tls-port, write rediss:// in it. If not, see the log of Redis, or of the proxy "
      "before it.",
      std::nullopt};
}

ConnectionFailure tls_failed(const ConnectionState& connection, const std::error_code& ec) {
  const std::string& name =
      connection.to.tls.server_name.empty() ? connection.to.host : connection.to.tls.server_name;
  RedisError error = redis_error(RedisErrorKind::Tls, ec.message(), {"TLS"});
  error.advice = tls_remedy(ec, name);
  return {fmt::format("cannot connect to {}: {}", connection.display(), ec.message()), {}, std::move(error)};
}

}  // namespace

std::string ConnectionState::display() const {
  if (!to.unix_path.empty()) return to.unix_path;
  const std::string named = fmt::format("{}:{}", to.host, to.port);
  return peer.empty() || peer == named ? named : fmt::format("{} ({})", named, peer);
}

ConnectionFailure failure_of(const ConnectionState& connection, const std::error_code& ec) {
  if (ec.category() == tls_category()) return tls_failed(connection, ec);
  switch (connection.phase) {
    case ConnectionPhase::Resolve:
      return {fmt::format("cannot resolve {}: {}", connection.to.host, ec.message()),
              "Correct the host in --redis-url, or repair the DNS of this host.", std::nullopt};
    case ConnectionPhase::Connect:
      return {fmt::format("cannot connect to {}: {}", connection.display(), ec.message()),
              "Start Redis, or correct the host and port in --redis-url.", std::nullopt};
    case ConnectionPhase::Tls:
      return closed_in_tls(connection, ec);
    case ConnectionPhase::Handshake:
    case ConnectionPhase::Open:  // a Sentinel may have nothing to say in the handshake
      if (!connection.has_answered && !connection.to.is_tls) return closed_unanswered(connection, ec);
      break;
    case ConnectionPhase::Closed:
      break;
  }
  return {fmt::format("the connection to {} ended: {}", connection.display(), ec.message()),
          "See the log of Redis: it stopped, or it closed the connection of this client.", std::nullopt};
}

ConnectionFailure timeout_of(const ConnectionState& connection, std::chrono::milliseconds limit,
                             std::string_view option) {
  const std::string within =
      fmt::format("no answer within {}{}{} ms", option, option.empty() ? "" : " ", limit.count());
  switch (connection.phase) {
    case ConnectionPhase::Resolve:
      return {fmt::format("cannot resolve {}: {}", connection.to.host, within),
              "Repair the DNS of this host.", std::nullopt};
    case ConnectionPhase::Connect:
      return {fmt::format("cannot connect to {}: {}", connection.display(), within),
              "Start the host, or let its firewall accept the connection.", std::nullopt};
    case ConnectionPhase::Tls:
      return {
          fmt::format("{} does not answer the TLS handshake: {}; {}", connection.display(), within,
                      kWriteRedis),
          "If --redis-url names a port without TLS, write redis:// in it. If not, Redis hangs: see its log.",
          std::nullopt};
    case ConnectionPhase::Handshake:
    case ConnectionPhase::Open:
    case ConnectionPhase::Closed:
      break;
  }
  return {fmt::format("{} hangs: {}", connection.display(), within),
          "See the log of Redis and the load of its host, or raise --redis-timeout.", std::nullopt};
}

ConnectionFailure failure_of(const ConnectionState& connection, const RedisError& error) {
  return {fmt::format("{} refused {}{}{}: {}", connection.display(), error.command,
                      error.key.empty() ? "" : " ", error.key, error.text),
          {},
          error};
}

ConnectionFailure no_redis(const ConnectionState& connection, std::string_view first_bytes,
                           std::string_view why) {
  if (!connection.to.is_tls && !connection.has_answered && !first_bytes.empty() &&
      first_bytes.front() == kTlsAlert) {
    const std::string reason = fmt::format("{} speaks TLS; {}", connection.display(), kWriteRediss);
    RedisError error = redis_error(RedisErrorKind::Tls, reason, {"TLS"});
    error.advice = "Write rediss:// in --redis-url.";
    return {reason, {}, std::move(error)};
  }
  return {fmt::format("{} does not speak Redis's protocol: {}", connection.display(), why),
          "Another program listens on this port: correct --redis-url.", std::nullopt};
}

}  // namespace mdpipe::publisher

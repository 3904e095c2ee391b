#pragma once
// What Redis means when it answers with an error: its kind, what a person can do about it, and when the same
// thing is worth trying again. Pure; the connection acts on it and the metrics name it.
#include <array>
#include <chrono>
#include <string>
#include <string_view>

namespace mdpipe::publisher {

enum class RedisErrorKind {
  Oom,
  ReadOnly,
  NoPerm,
  WrongType,
  Auth,
  Loading,
  Busy,
  NoReplicas,
  Misconf,
  Cluster,
  MaxClients,
  Tls,  // no answer of Redis: its certificate, or what it thinks of ours
  Other,
};

enum class RetryPolicy {
  SameConnection,  // it passes by itself: the same transaction again, after a growing pause
  Reconnect,       // another server may be right by now: at once, then after growing pauses
  Slow,            // a person is needed: every few seconds
};

struct RedisErrorInfo {
  RedisErrorKind kind;
  std::string_view label;  // of the metric
  RetryPolicy policy;
  std::string_view remedy;  // what to do, a sentence
};

inline constexpr std::size_t kRedisErrorKinds = static_cast<std::size_t>(RedisErrorKind::Other) + 1;
const std::array<RedisErrorInfo, kRedisErrorKinds>& redis_error_infos();
const RedisErrorInfo& info(RedisErrorKind kind);

// By the first word of Redis's error. That of a refused EXEC names what it was discarded for.
RedisErrorKind classify(std::string_view error);

// Whether an error in the place of EXEC's answer says for sure that nothing was written.
bool says_nothing_was_written(std::string_view exec_error);

// How long to wait before the next try after `failures` that came before this one. Grows to the policy's own
// limit or to `limit`, whichever is less.
std::chrono::milliseconds retry_delay(RetryPolicy policy, unsigned failures, std::chrono::milliseconds limit);

// A command that Redis answered with an error, for the log and the metrics.
struct RedisError {
  RedisErrorKind kind = RedisErrorKind::Other;
  std::string text;      // Redis's own words
  std::string command;   // "XADD"
  std::string key;       // empty if there is none
  std::string advice{};  // what to do, if that is more than the kind says
};

// What an error is about: a command, and the key that it was for, if there is one.
struct CommandOnKey {
  std::string_view command;
  std::string_view key{};
};

// An error in Redis's own words; its kind follows from their first one.
RedisError redis_error(std::string_view text, CommandOnKey about);
RedisError redis_error(RedisErrorKind kind, std::string_view text, CommandOnKey about);

// The remedy; with the ACL rule, if one is missing.
std::string remedy(const RedisError& error, std::string_view user);

}  // namespace mdpipe::publisher

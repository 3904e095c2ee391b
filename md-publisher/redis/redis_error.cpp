#include "md-publisher/redis/redis_error.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "libshared/text/ascii.hpp"

namespace mdpipe::publisher {
namespace {

using std::chrono::milliseconds;

// In the order of RedisErrorKind.
constexpr std::array<RedisErrorInfo, kRedisErrorKinds> kInfos = {{
    {RedisErrorKind::Oom, "oom", RetryPolicy::SameConnection,
     "Redis is at its maxmemory: raise it, or trim the streams shorter with --maxlen."},
    {RedisErrorKind::ReadOnly, "readonly", RetryPolicy::Reconnect,
     "This Redis is a replica: --redis-url must name the primary."},
    {RedisErrorKind::NoPerm, "noperm", RetryPolicy::Slow, "The ACL of Redis forbids it."},
    {RedisErrorKind::WrongType, "wrongtype", RetryPolicy::Slow,
     "Something else is stored under this key: rename or delete the key."},
    {RedisErrorKind::Auth, "auth", RetryPolicy::Slow,
     "Redis does not accept the user or the password: see --redis-url and --redis-password-file."},
    {RedisErrorKind::Loading, "loading", RetryPolicy::Reconnect,
     "Redis is reading its data from disk: wait."},
    {RedisErrorKind::Busy, "busy", RetryPolicy::SameConnection,
     "A script keeps Redis busy: wait, or end it with SCRIPT KILL."},
    {RedisErrorKind::NoReplicas, "noreplicas", RetryPolicy::SameConnection,
     "Too few replicas are connected for min-replicas-to-write."},
    {RedisErrorKind::Misconf, "misconf", RetryPolicy::SameConnection,
     "Redis cannot save to disk and takes no writes: see its log and its disk."},
    {RedisErrorKind::Cluster, "cluster", RetryPolicy::Reconnect,
     "The Cluster changes, or a part of it is down: wait. Where --redis-url has redis://, write "
     "redis+cluster://."},
    {RedisErrorKind::MaxClients, "maxclients", RetryPolicy::Slow,
     "Redis has as many clients as its maxclients allows: raise it, or find the clients that are too many "
     "with CLIENT LIST."},
    {RedisErrorKind::Tls, "tls", RetryPolicy::Slow, "See the certificates on both sides."},
    {RedisErrorKind::Other, "other", RetryPolicy::Reconnect, "See Redis's own words and its log."},
}};

struct Prefix {
  std::string_view word;
  RedisErrorKind kind;
};

constexpr Prefix kPrefixes[] = {
    {"OOM", RedisErrorKind::Oom},
    {"READONLY", RedisErrorKind::ReadOnly},
    {"MASTERDOWN", RedisErrorKind::ReadOnly},
    {"NOPERM", RedisErrorKind::NoPerm},
    {"WRONGTYPE", RedisErrorKind::WrongType},
    {"NOAUTH", RedisErrorKind::Auth},
    {"WRONGPASS", RedisErrorKind::Auth},
    {"DENIED", RedisErrorKind::Auth},  // protected mode: no password is set and the client is not local
    {"LOADING", RedisErrorKind::Loading},
    {"BUSY", RedisErrorKind::Busy},
    {"NOREPLICAS", RedisErrorKind::NoReplicas},
    {"NOGOODSLAVE", RedisErrorKind::NoReplicas},
    {"MISCONF", RedisErrorKind::Misconf},
    {"MOVED", RedisErrorKind::Cluster},
    {"ASK", RedisErrorKind::Cluster},
    {"TRYAGAIN", RedisErrorKind::Cluster},
    {"CLUSTERDOWN", RedisErrorKind::Cluster},
    {"CROSSSLOT", RedisErrorKind::Cluster},
};

constexpr std::string_view kExecAbort = "EXECABORT";

std::string_view first_word(std::string_view text) { return text.substr(0, text.find(' ')); }

// A command as ACL rules write it: lower case, a subcommand behind '|'.
std::string acl_name(std::string_view command) {
  std::string out = ascii::lower(command);
  std::replace(out.begin(), out.end(), ' ', '|');
  return out;
}

}  // namespace

const std::array<RedisErrorInfo, kRedisErrorKinds>& redis_error_infos() { return kInfos; }

const RedisErrorInfo& info(RedisErrorKind kind) { return kInfos.at(static_cast<std::size_t>(kind)); }

RedisErrorKind classify(std::string_view error) {
  constexpr std::string_view kBecause = "because of: ";
  if (first_word(error) == kExecAbort) {
    const std::size_t at = error.find(kBecause);
    if (at == std::string_view::npos) return RedisErrorKind::Other;
    error.remove_prefix(at + kBecause.size());
  }
  // It has no word of its own: "ERR max number of clients reached", in a Cluster "... + cluster connections".
  constexpr std::string_view kMaxClients = "ERR max number of clients";
  if (error.substr(0, kMaxClients.size()) == kMaxClients) return RedisErrorKind::MaxClients;
  const std::string_view word = first_word(error);
  const auto* const found = std::find_if(std::begin(kPrefixes), std::end(kPrefixes),
                                         [word](const Prefix& prefix) { return prefix.word == word; });
  return found == std::end(kPrefixes) ? RedisErrorKind::Other : found->kind;
}

bool says_nothing_was_written(std::string_view exec_error) { return first_word(exec_error) == kExecAbort; }

milliseconds retry_delay(RetryPolicy policy, unsigned failures, milliseconds limit) {
  constexpr unsigned kDoublingsMax = 16;
  constexpr milliseconds kPauseMax{5'000};
  const auto grown = [&](milliseconds first) {
    return milliseconds(first.count() << std::min(failures, kDoublingsMax));
  };
  switch (policy) {
    case RetryPolicy::SameConnection:
      return std::min({grown(milliseconds(100)), kPauseMax, limit});
    case RetryPolicy::Slow:
      return std::min({grown(milliseconds(1'000)), kPauseMax, limit});
    case RetryPolicy::Reconnect:
      break;
  }
  return std::min(grown(milliseconds(50)), limit);
}

RedisError redis_error(std::string_view text, CommandOnKey about) {
  return redis_error(classify(text), text, about);
}

RedisError redis_error(RedisErrorKind kind, std::string_view text, CommandOnKey about) {
  RedisError error;
  error.kind = kind;
  error.text = text;
  error.command = about.command;
  error.key = about.key;
  return error;
}

std::string remedy(const RedisError& error, std::string_view user) {
  if (!error.advice.empty()) return error.advice;
  const std::string_view sentence = info(error.kind).remedy;
  if (error.kind != RedisErrorKind::NoPerm || error.command.empty()) return std::string(sentence);
  return fmt::format("{} Allow it: ACL SETUSER {} +{}{}{}", sentence, user.empty() ? "default" : user,
                     acl_name(error.command), error.key.empty() ? "" : " ~", error.key);
}

}  // namespace mdpipe::publisher

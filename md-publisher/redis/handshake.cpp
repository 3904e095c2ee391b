#include "md-publisher/redis/handshake.hpp"

#include "md-publisher/redis/resp.hpp"

namespace mdpipe::publisher {
namespace {

constexpr std::string_view kAuth = "AUTH";
constexpr std::string_view kRole = "ROLE";
constexpr std::string_view kSetName = "CLIENT SETNAME";

constexpr std::string_view kSentinelLogin =
    "The Sentinels do not accept the user or the password: see --redis-sentinel-user and "
    "--redis-sentinel-password-file.";

}  // namespace

template <typename... Words>
void Handshake::say(std::string_view step, const Words&... words) {
  resp::append_command(commands_, words...);
  steps_.push_back(step);
}

void Handshake::prepare(const RedisAddress& address, Scope scope) {
  commands_.clear();
  steps_.clear();
  answered_ = 0;
  scope_ = scope;
  if (!address.password.empty()) {
    if (address.user.empty()) {
      say(kAuth, "AUTH", address.password);
    } else {
      say(kAuth, "AUTH", address.user, address.password);
    }
  }
  if (scope == Scope::Sentinel) return;
  if (address.database != 0) say("SELECT", "SELECT", std::to_string(address.database));
  say(kSetName, "CLIENT", "SETNAME", "md-publisher");
  // A Sentinel may not have heard yet that the server it names has become a replica.
  if (!address.sentinel.hosts.empty()) say(kRole, "ROLE");
  // An empty transaction: if MULTI is forbidden, what follows it would be carried out command by command.
  say("MULTI", "MULTI");
  say("EXEC", "EXEC");
}

Handshake::Next Handshake::on_reply(const Reply& reply) {
  const std::string_view step = steps_[answered_++];
  if (reply.is_error()) {
    const RedisErrorKind kind = classify(reply.text);
    // The first answer may be about the connection, not the command: it is refused, or not possible yet.
    const bool is_login = step == kAuth && kind == RedisErrorKind::Other;
    // An ACL may forbid to set a name; only CLIENT LIST shows less then.
    const bool is_optional =
        step == kSetName && (kind == RedisErrorKind::NoPerm || kind == RedisErrorKind::Other);
    if (!is_optional) return fail(is_login ? RedisErrorKind::Auth : kind, reply.text, step);
  }
  if (step == kRole && (reply.element_count == 0 || reply.elements[0].text != "master"))
    return fail(RedisErrorKind::ReadOnly, "it is a replica", step);
  return answered_ < steps_.size() ? Next::More : Next::Done;
}

Handshake::Next Handshake::fail(RedisErrorKind kind, const std::string& text, std::string_view command) {
  error_ = redis_error(kind, text, {command});
  if (kind == RedisErrorKind::Auth && scope_ == Scope::Sentinel) error_.advice = kSentinelLogin;
  return Next::Failed;
}

}  // namespace mdpipe::publisher

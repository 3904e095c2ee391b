#include "md-publisher/redis/handshake.hpp"

#include <fmt/format.h>

#include "md-publisher/redis/resp.hpp"

namespace mdpipe::publisher {
namespace {

constexpr std::string_view kAuth = "AUTH";
constexpr std::string_view kRole = "ROLE";
constexpr std::string_view kReadCursors = "HGETALL";
constexpr std::string_view kWait = "WAIT";
constexpr std::string_view kSetName = "CLIENT SETNAME";

}  // namespace

template <typename... Words>
void Handshake::say(Step step, const Words&... words) {
  resp::append_command(commands_, words...);
  steps_.push_back(std::move(step));
}

void Handshake::prepare(const RedisAddress& address, const std::string& cursor_key, unsigned wait_replicas) {
  commands_.clear();
  steps_.clear();
  answered_ = 0;
  wait_replicas_ = wait_replicas;
  cursors_.clear();
  if (!address.password.empty()) {
    if (address.user.empty()) {
      say({kAuth, {}}, "AUTH", address.password);
    } else {
      say({kAuth, {}}, "AUTH", address.user, address.password);
    }
  }
  if (address.database != 0) say({"SELECT", {}}, "SELECT", std::to_string(address.database));
  say({kSetName, {}}, "CLIENT", "SETNAME", "md-publisher");
  // Sentinels may not have heard yet, or not all of them, that it is a master no more.
  if (!address.sentinel.hosts.empty()) say({kRole, {}}, "ROLE");
  // An empty transaction: where MULTI is forbidden, what follows it would be carried out command by command.
  say({"MULTI", {}}, "MULTI");
  say({"EXEC", {}}, "EXEC");
  if (!cursor_key.empty()) say({kReadCursors, cursor_key}, "HGETALL", cursor_key);
  // What a transaction wrote whose answer, or whose replicas, were not heard: counts only once they hold it.
  if (wait_replicas > 0) say({kWait, {}}, "WAIT", std::to_string(wait_replicas), "1000");
}

Handshake::Next Handshake::on_reply(const Reply& reply) {
  const Step& step = steps_[answered_++];
  if (reply.is_error()) {
    if (step.command == kSetName) return Next::More;  // an ACL may forbid it; only CLIENT LIST is poorer
    // Whatever AUTH is answered, the user and the password are what is wrong.
    return fail(step.command == kAuth ? RedisErrorKind::Auth : classify(reply.text), reply.text, step);
  }
  if (step.command == kRole && (reply.element_count == 0 || reply.elements[0].text != "master"))
    return fail(RedisErrorKind::ReadOnly, "it is a replica", step);
  if (step.command == kReadCursors) cursors_ = read_cursors(reply);
  if (step.command == kWait && reply.integer < static_cast<long long>(wait_replicas_))
    return fail(RedisErrorKind::NoReplicas, fmt::format("{} of {} replicas", reply.integer, wait_replicas_),
                step);
  return answered_ < steps_.size() ? Next::More : Next::Done;
}

Handshake::Next Handshake::fail(RedisErrorKind kind, const std::string& error, const Step& step) {
  error_ = {kind, error, std::string(step.command), step.key};
  return Next::Failed;
}

}  // namespace mdpipe::publisher

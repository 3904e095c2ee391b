#include "md-publisher/greeting.hpp"

#include "md-publisher/resp.hpp"

namespace mdpipe::publisher {
namespace {

constexpr const char* kAuth = "AUTH";
constexpr std::string_view kSetName = "CLIENT SETNAME";

}  // namespace

template <typename... Words>
void Greeting::say(Step step, const Words&... words) {
  resp::append_command(commands_, words...);
  steps_.push_back(std::move(step));
}

void Greeting::prepare(const RedisAddress& address, const std::string& cursor_key) {
  commands_.clear();
  steps_.clear();
  answered_ = 0;
  cursors_.clear();
  if (!address.password.empty()) {
    if (address.user.empty()) {
      say({kAuth, {}}, "AUTH", address.password);
    } else {
      say({kAuth, {}}, "AUTH", address.user, address.password);
    }
  }
  if (address.database != 0) say({"SELECT", {}}, "SELECT", std::to_string(address.database));
  say({kSetName.data(), {}}, "CLIENT", "SETNAME", "md-publisher");
  // An empty transaction: where MULTI is forbidden, what follows it would be carried out command by command.
  say({"MULTI", {}}, "MULTI");
  say({"EXEC", {}}, "EXEC");
  say({"HGETALL", cursor_key}, "HGETALL", cursor_key);
}

Greeting::Next Greeting::on_reply(const Reply& reply) {
  const Step& step = steps_[answered_++];
  if (reply.is_error()) {
    if (step.command == kSetName) return Next::More;  // an ACL may forbid it; only CLIENT LIST is poorer
    // Whatever AUTH is answered, the user and the password are what is wrong.
    const Refusal kind = step.command == std::string_view(kAuth) ? Refusal::Auth : classify(reply.text);
    refused_ = {kind, reply.text, step.command, step.key};
    return Next::Refused;
  }
  if (answered_ < steps_.size()) return Next::More;
  for (std::size_t i = 0; i + 1 < reply.element_count; i += 2) {
    cursors_.emplace_back(reply.elements[i].text, reply.elements[i + 1].text);
  }
  return Next::Done;
}

}  // namespace mdpipe::publisher

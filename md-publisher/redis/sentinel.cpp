#include "md-publisher/redis/sentinel.hpp"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "md-publisher/redis/resp.hpp"

namespace mdpipe::publisher {
namespace {

// A Sentinel does nothing else; one that takes longer hangs or cannot be reached.
constexpr std::chrono::milliseconds kAnswerMax{1'000};
constexpr std::size_t kBufferBytes = 4'096;  // an address and a port

ConnectionOptions sentinel_connection() {
  ConnectionOptions options;
  options.connect_max = options.answer_max = kAnswerMax;
  options.buffer_bytes = kBufferBytes;
  options.scope = Handshake::Scope::Sentinel;
  return options;
}

// That of the present Sentinel is not known yet.
RedisAddress address_of_sentinels(const RedisAddress& address) {
  RedisAddress to;
  to.user = address.sentinel.user;
  to.password = address.sentinel.password;
  to.is_tls = address.is_tls;
  to.tls = address.tls;
  return to;
}

RedisError error_of(const Reply& reply, const std::string& user) {
  RedisError error = redis_error(reply.text, {"SENTINEL GET-MASTER-ADDR-BY-NAME"});
  error.advice = error.kind == RedisErrorKind::Auth
                     ? "Name the user and the password of the Sentinels: see --redis-sentinel-user and "
                       "--redis-sentinel-password-file."
                     : remedy(error, user);
  return error;
}

}  // namespace

Sentinel::Sentinel(asio::io_context& io, const RedisAddress& address)
    : sentinels_(address.sentinel),
      to_(address_of_sentinels(address)),
      connection_(io, *this, sentinel_connection()) {
  resp::append_command(question_, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinels_.service);
}

void Sentinel::ask(Answered answered) {
  answered_ = std::move(answered);
  tried_ = 0;
  failure_ = {};
  connection_.is_open() ? send() : connect();
}

void Sentinel::skip_to_next() {
  connection_.close();
  current_ = (current_ + 1) % sentinels_.hosts.size();
}

void Sentinel::close() {
  connection_.close();
  answered_ = nullptr;
}

void Sentinel::connect() {
  to_.host = sentinels_.hosts[current_].host;
  to_.port = sentinels_.hosts[current_].port;
  connection_.open(to_);
}

void Sentinel::send() {
  connection_.await_answer();
  connection_.send(question_);
}

void Sentinel::on_replies() {
  while (const Reply* reply = connection_.next_reply()) on_reply(*reply);
}

void Sentinel::on_reply(const Reply& reply) {
  connection_.answered();
  if (answered_ == nullptr) return connection_.close();
  if (reply.is_error()) return on_disconnect(connection_.failure(error_of(reply, to_.user)));
  if (reply.type != Reply::Type::Array || reply.element_count != 2)
    return on_disconnect(
        {fmt::format("{}: it knows no service '{}'", connection_.display(), sentinels_.service),
         "Correct the name of the service in --redis-url.", std::nullopt});
  finish(HostPort{reply.elements[0].text, reply.elements[1].text});
}

// Goes on to the next Sentinel; after the last one the question has no answer. If all fail, that counts which
// only a person can change, else the last. Without a question, the next one makes a new connection.
void Sentinel::on_disconnect(const ConnectionFailure& failure) {
  skip_to_next();
  if (answered_ == nullptr) return;
  const std::string reasons = failure_.reason + (failure_.reason.empty() ? "" : "; ") + failure.reason;
  if (tried_ == 0 || policy_of(failure_) != RetryPolicy::Slow) failure_ = failure;
  failure_.reason = reasons;
  if (++tried_ == sentinels_.hosts.size()) return finish(std::nullopt);
  connect();
}

void Sentinel::finish(const std::optional<HostPort>& master) {
  const Answered answered = std::exchange(answered_, nullptr);
  answered(master, failure_);
}

}  // namespace mdpipe::publisher

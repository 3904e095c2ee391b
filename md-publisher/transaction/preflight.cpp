#include "md-publisher/transaction/preflight.hpp"

#include "md-publisher/redis/resp.hpp"

namespace mdpipe::publisher {

bool Preflight::prepare(const std::vector<Transaction::TouchedKey>& streams, std::string_view state_key) {
  commands_.clear();
  keys_.clear();
  answered_ = 0;
  removed_.clear();
  problem_.reset();
  unguarded_.reset();
  for (const auto& touched : streams) {
    if (lengths_.is_checked(*touched.key, round_)) continue;
    keys_.push_back(touched.key);
    resp::append_command(commands_, "XLEN", touched.key->name);
  }
  asks_state_ = !state_key.empty() && state_checked_in_ != round_;
  if (asks_state_) {
    state_key_ = state_key;
    resp::append_command(commands_, "HLEN", state_key);
  }
  return !commands_.empty();
}

bool Preflight::on_reply(const Reply& reply, SteadyTime now) {
  const std::size_t index = answered_++;
  if (index < keys_.size()) {
    on_length(*keys_[index], reply, now);
  } else {
    on_state(reply);
  }
  return answered_ == question_count();
}

void Preflight::on_length(const RedisKey& key, const Reply& reply, SteadyTime now) {
  if (reply.type == Reply::Type::Integer) {
    const auto length = static_cast<std::uint64_t>(reply.integer);
    if (const auto entries = lengths_.on_checked(key, round_, length, now); entries > 0)
      removed_.push_back({&key, entries});
  } else if (classify(reply.text) == RedisErrorKind::NoPerm) {
    lengths_.on_forbidden(key, round_);
    if (!unguarded_) unguarded_ = redis_error(RedisErrorKind::NoPerm, reply.text, {"XLEN", key.name});
  } else {
    lengths_.on_check_failed(key);
    refuse(reply, "XLEN", key.name);
  }
}

void Preflight::on_state(const Reply& reply) {
  if (reply.type == Reply::Type::Integer || classify(reply.text) == RedisErrorKind::NoPerm) {
    state_checked_in_ = round_;
  } else {
    refuse(reply, "HLEN", state_key_);
  }
}

void Preflight::refuse(const Reply& reply, const char* command, const std::string& key) {
  if (!problem_) problem_ = redis_error(reply.text, {command, key});
}

}  // namespace mdpipe::publisher

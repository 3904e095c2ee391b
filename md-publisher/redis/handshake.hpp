#pragma once
// What is said first on a connection to Redis: log in, choose the database, see that transactions are
// allowed. Makes the commands and judges the answers; sends nothing.
#include <string>
#include <string_view>
#include <vector>

#include "md-publisher/redis/redis_error.hpp"
#include "md-publisher/redis/redis_url.hpp"
#include "md-publisher/redis/reply_reader.hpp"

namespace mdpipe::publisher {

class Handshake {
 public:
  // A Sentinel is only logged in to; it has neither databases nor transactions.
  enum class Scope { Redis, Sentinel };

  void prepare(const RedisAddress& address, Scope scope);
  // Empty if there is nothing to say.
  [[nodiscard]] const std::string& commands() const { return commands_; }

  enum class Next { More, Done, Failed };
  Next on_reply(const Reply& reply);

  [[nodiscard]] const RedisError& error() const { return error_; }  // after Failed

 private:
  Next fail(RedisErrorKind kind, const std::string& text, std::string_view command);
  template <typename... Words>
  void say(std::string_view step, const Words&... words);

  std::string commands_;
  std::vector<std::string_view> steps_;  // the commands; each answer still to come belongs to one
  std::size_t answered_ = 0;
  Scope scope_ = Scope::Redis;
  RedisError error_;
};

}  // namespace mdpipe::publisher

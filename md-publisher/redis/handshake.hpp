#pragma once
// What is said first on a connection to Redis: log in, choose the database, see that transactions are
// allowed, read the cursors. Makes the commands and judges the answers; sends nothing.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "md-publisher/redis/cursor.hpp"
#include "md-publisher/redis/redis_error.hpp"
#include "md-publisher/redis/redis_url.hpp"
#include "md-publisher/redis/reply_reader.hpp"

namespace mdpipe::publisher {

class Handshake {
 public:
  // An empty `cursor_key`: no cursors are asked for. `wait_replicas`: so many have to hold what the cursors
  // say before they count.
  void prepare(const RedisAddress& address, const std::string& cursor_key, unsigned wait_replicas);
  [[nodiscard]] const std::string& commands() const { return commands_; }

  enum class Next { More, Done, Failed };
  Next on_reply(const Reply& reply);

  [[nodiscard]] const Cursors& cursors() const { return cursors_; }  // after Done
  [[nodiscard]] const RedisError& error() const { return error_; }   // after Failed

 private:
  struct Step {
    std::string_view command;
    std::string key;
  };
  Next fail(RedisErrorKind kind, const std::string& error, const Step& step);
  template <typename... Words>
  void say(Step step, const Words&... words);

  std::string commands_;
  std::vector<Step> steps_;  // what each answer still to come belongs to
  std::size_t answered_ = 0;
  unsigned wait_replicas_ = 0;
  Cursors cursors_;
  RedisError error_;
};

}  // namespace mdpipe::publisher

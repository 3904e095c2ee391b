#pragma once
// What is said first on a connection to Redis: log in, choose the database, see that transactions are
// allowed, read the cursors. Makes the commands and judges the answers; sends nothing.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "md-publisher/redis_url.hpp"
#include "md-publisher/refusal.hpp"
#include "md-publisher/reply_reader.hpp"

namespace mdpipe::publisher {

using Cursors = std::vector<std::pair<std::string, std::string>>;  // source, "epoch:seq"

class Greeting {
 public:
  void prepare(const RedisAddress& address, const std::string& cursor_key);
  [[nodiscard]] const std::string& commands() const { return commands_; }

  enum class Next { More, Done, Refused };
  Next on_reply(const Reply& reply);

  [[nodiscard]] const Cursors& cursors() const { return cursors_; }         // after Done
  [[nodiscard]] const RefusedCommand& refused() const { return refused_; }  // after Refused

 private:
  struct Step {
    const char* command;
    std::string key;
  };
  template <typename... Words>
  void say(Step step, const Words&... words);

  std::string commands_;
  std::vector<Step> steps_;  // what each answer still to come belongs to
  std::size_t answered_ = 0;
  Cursors cursors_;
  RefusedCommand refused_;
};

}  // namespace mdpipe::publisher

#pragma once
// Asks Redis Sentinels which Redis is the master now: the first that answers, on a connection that is kept
// for the next time. Which master to believe is the caller's to judge. The protocol:
// https://redis.io/docs/latest/develop/reference/sentinel-clients/ (read 2026-11-25).
#include <asio/io_context.hpp>
#include <functional>
#include <optional>
#include <string>

#include "md-publisher/redis/connection.hpp"
#include "md-publisher/redis/redis_url.hpp"

namespace mdpipe::publisher {

class Sentinel final : private ConnectionSink {
 public:
  // The master, or nothing and the failure: what each Sentinel said, and what a person can do.
  using Answered =
      std::function<void(const std::optional<HostPort>& master, const ConnectionFailure& failure)>;

  // `address` names the Sentinels and how to speak to them.
  Sentinel(asio::io_context& io, const RedisAddress& address);

  // One question at a time. `answered` runs in the loop, unless close() comes before.
  void ask(Answered answered);
  [[nodiscard]] bool is_asking() const { return answered_ != nullptr; }
  // The next question goes to another Sentinel: the answer of this one led nowhere.
  void skip_to_next();
  void close();

 private:
  void connect();
  void send();
  void on_open() override { send(); }
  void on_replies() override;
  void on_reply(const Reply& reply);
  void on_disconnect(const ConnectionFailure& failure) override;
  void finish(const std::optional<HostPort>& master);

  SentinelAddress sentinels_;
  RedisAddress to_;  // the present Sentinel, with the user and the password of the Sentinels
  Connection connection_;
  std::string question_;
  std::size_t current_ = 0;  // which Sentinel
  std::size_t tried_ = 0;    // how many this question went to
  ConnectionFailure failure_;
  Answered answered_;
};

}  // namespace mdpipe::publisher

#pragma once
// Asks Redis Sentinels which Redis is the master now: the first that answers, on a connection that is kept
// for the next time. Which master to believe is the caller's to judge. The protocol:
// https://redis.io/docs/latest/develop/reference/sentinel-clients/ (read 2026-11-25).
#include <array>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "md-publisher/redis/byte_stream.hpp"
#include "md-publisher/redis/redis_url.hpp"
#include "md-publisher/redis/reply_reader.hpp"

namespace mdpipe::publisher {

class Sentinel {
 public:
  // The master, or nothing and why: what each Sentinel said.
  using Answered = std::function<void(const std::optional<HostPort>& master, const std::string& why)>;

  // `address` names the Sentinels and how to speak to them.
  Sentinel(asio::io_context& io, RedisAddress address);

  // One question at a time. `answered` runs in the loop, unless close() comes before.
  void ask(Answered answered);
  [[nodiscard]] bool is_asking() const { return answered_ != nullptr; }
  // The next question goes to another Sentinel: the answer of this one led nowhere.
  void try_next();
  void close();

 private:
  void connect();
  void send();
  void read_more();
  void on_reply(const Reply& reply);
  void fail(const std::string& why);
  void finish(const std::optional<HostPort>& master);
  void drop_connection();
  void expect_answer_in_time();
  [[nodiscard]] const HostPort& host() const { return address_.sentinel.hosts[at_]; }

  asio::io_context& io_;
  RedisAddress address_;
  asio::steady_timer timer_;
  std::unique_ptr<ByteStream> stream_;  // null: not connected
  ReplyReader replies_;
  std::array<char, 4096> buffer_{};
  std::string question_;
  std::uint64_t connection_ = 0;  // changes when one ends
  std::size_t at_ = 0;            // which Sentinel
  std::size_t tried_ = 0;         // how many this question went to
  bool logs_in_ = false;          // the next answer is that of AUTH
  std::string why_;
  Answered answered_;
};

}  // namespace mdpipe::publisher

#pragma once
// The connection to one node of a Redis Cluster: commands of several askers go out one behind the other, and
// each hears its own answers. Connects when it is first asked; where it ends, everyone who waits is told.
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "md-publisher/redis/byte_stream.hpp"
#include "md-publisher/redis/handshake.hpp"
#include "md-publisher/redis/redis_url.hpp"
#include "md-publisher/redis/reply_reader.hpp"

namespace mdpipe::publisher {

class NodeClient {
 public:
  virtual ~NodeClient() = default;
  virtual void on_reply(const Reply& reply) = 0;
  // The connection ended before the last answer; `error` where Redis said why.
  virtual void on_node_lost(const std::string& why, const std::optional<RedisError>& error) = 0;
};

class ClusterNode {
 public:
  // `address` is that of the node, with user, password and TLS of the Cluster. `on_ended`: a connection
  // ended; runs before those who wait are told.
  ClusterNode(asio::io_context& io, RedisAddress address, std::chrono::milliseconds timeout,
              std::function<void()> on_ended);

  // The client is borrowed until its last answer or on_node_lost.
  void ask(NodeClient& client, std::string_view commands, std::size_t answers);
  void close(const std::string& why, const std::optional<RedisError>& error = std::nullopt);
  void stop();
  [[nodiscard]] const RedisAddress& address() const { return address_; }

 private:
  struct Asked {
    NodeClient* client;
    std::size_t answers;
  };

  void connect();
  void start_handshake();
  void flush();
  void read_more();
  void on_reply(const Reply& reply);
  void fail(std::string_view what, const std::error_code& ec);
  void expect_answer_in_time();

  asio::io_context& io_;
  RedisAddress address_;
  std::chrono::milliseconds timeout_;
  std::function<void()> on_ended_;
  asio::steady_timer timer_;
  std::unique_ptr<ByteStream> stream_;  // null: not connected
  std::uint64_t connection_ = 0;        // changes when one ends
  bool is_greeting_ = false, is_open_ = false, is_writing_ = false;
  Handshake handshake_;
  ReplyReader replies_;
  std::vector<char> buffer_;
  std::string waiting_, writing_;
  std::deque<Asked> asked_;
};

}  // namespace mdpipe::publisher

#pragma once
// One node of a Redis Cluster: commands of several clients go out one behind the other on one connection, and
// each client gets its own answers. Connects when it is first asked; if the connection ends, every client
// that waits hears why.
#include <asio/io_context.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "md-publisher/redis/connection.hpp"
#include "md-publisher/redis/redis_url.hpp"

namespace mdpipe::publisher {

// A node that takes longer to connect to is passed over: another may have its slots by then.
inline constexpr std::chrono::milliseconds kNodeConnectMax{1'000};

class NodeSink {
 public:
  virtual ~NodeSink() = default;
  virtual void on_reply(const Reply& reply) = 0;
  // The connection ended before the last answer.
  virtual void on_node_unreachable(const ConnectionFailure& failure) = 0;
};

class ClusterNode final : private ConnectionSink {
 public:
  // `address` is that of the node, with user, password and TLS of the Cluster. `on_ended`: a connection
  // ended; runs before those who wait hear of it.
  ClusterNode(asio::io_context& io, RedisAddress address, std::chrono::milliseconds timeout,
              std::function<void()> on_ended);

  // The client is borrowed until its last answer or on_node_unreachable.
  void ask(NodeSink& client, std::string_view commands, std::size_t answers);
  // An answer that one of the clients needs did not come within `limit`.
  void end_late(std::chrono::milliseconds limit) { end(connection_.timeout(limit, {})); }
  void end(const ConnectionFailure& failure);
  void stop();
  [[nodiscard]] ConnectionFailure failure(const RedisError& error) const {
    return connection_.failure(error);
  }
  [[nodiscard]] bool is_open() const { return connection_.is_open(); }
  [[nodiscard]] const RedisAddress& address() const { return address_; }

 private:
  struct Asked {
    NodeSink* client;
    std::size_t answers;
  };

  void flush();
  void on_open() override;
  void on_replies() override;
  void on_reply(const Reply& reply);
  void on_sent() override;
  void on_disconnect(const ConnectionFailure& failure) override { end(failure); }

  RedisAddress address_;
  std::function<void()> on_ended_;
  Connection connection_;
  bool is_writing_ = false;
  std::string waiting_, writing_;
  std::deque<Asked> asked_;
};

}  // namespace mdpipe::publisher

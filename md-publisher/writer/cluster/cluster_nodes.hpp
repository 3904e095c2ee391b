#pragma once
// The nodes of a Redis Cluster: the connections to them and which of them has which slot. The map comes from
// CLUSTER NODES, asked of one node after the other, and is corrected by redirections in between; a node
// without slots is left.
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "md-publisher/writer/cluster/cluster_node.hpp"
#include "md-publisher/writer/cluster/slots.hpp"

namespace mdpipe::publisher {

class ClusterNodes final : private NodeSink {
 public:
  struct Callbacks {
    std::function<void()> on_map;
    // The node that was asked for the map did not give it; another is asked next time.
    std::function<void(const ConnectionFailure&)> on_no_map;
    // A connection ended or a slot moved: who has the slots now may hold less than was confirmed.
    std::function<void()> on_nodes_changed;
  };

  ClusterNodes(asio::io_context& io, RedisAddress address, std::chrono::milliseconds timeout,
               Callbacks callbacks);

  void stop();
  void ask_for_map();
  // Null if no node has it.
  [[nodiscard]] const HostPort* owner(std::uint16_t slot) const { return slots_.owner(slot); }
  [[nodiscard]] std::vector<HostPort> masters() const { return slots_.masters(); }
  // Follows a redirection by the node `by`; returns the node that it names.
  HostPort follow(const Redirect& redirect, const HostPort& by);
  ClusterNode& at(const HostPort& node);

 private:
  void on_reply(const Reply& reply) override;
  void on_node_unreachable(const ConnectionFailure& failure) override;
  bool end_question();
  void leave_nodes_without_slots();

  asio::io_context& io_;
  RedisAddress address_;
  std::chrono::milliseconds timeout_;
  Callbacks callbacks_;
  SlotMap slots_;
  std::map<std::string, std::unique_ptr<ClusterNode>> nodes_;  // by "host:port"
  asio::steady_timer timer_;
  HostPort asked_;
  std::size_t next_ = 0;  // which node is asked next
  bool is_asking_ = false, stopped_ = false;
};

}  // namespace mdpipe::publisher

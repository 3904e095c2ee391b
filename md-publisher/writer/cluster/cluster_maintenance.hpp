#pragma once
// StreamMaintenance (maintenance.hpp) of a Redis Cluster: each command goes to the node that has its stream,
// and each master is asked for its memory. A command for a slot that is moving is repeated a second later.
#include <functional>
#include <memory>
#include <vector>

#include "md-publisher/transaction/stream_maintenance.hpp"
#include "md-publisher/writer/cluster/cluster_nodes.hpp"

namespace mdpipe::publisher {

class ClusterMaintenance {
 public:
  using OnMaintenance = std::function<void(const StreamMaintenance::Report&)>;

  ClusterMaintenance(ClusterNodes& nodes, StreamLengths& lengths, std::uint64_t stream_bytes_max,
                     OnMaintenance on_maintenance);
  ~ClusterMaintenance();

  void touch(const Transaction& transaction) { maintenance_.touch(transaction); }
  void start_over() { maintenance_.start_over(); }
  [[nodiscard]] bool is_running() const { return is_running_; }

  // Does what is due; false if nothing is, else on_maintenance follows. Not while it is running.
  bool begin(SteadyTime now, UnixNanos wall);

 private:
  class NodeCommands;  // the commands for one node

  NodeCommands& commands_for(const HostPort& node);
  void on_reply(std::size_t index, const Reply& reply, const HostPort& node);
  void finish();

  ClusterNodes& nodes_;
  StreamMaintenance maintenance_;
  OnMaintenance on_maintenance_;
  std::vector<std::unique_ptr<NodeCommands>> node_commands_;
  bool is_running_ = false;
};

}  // namespace mdpipe::publisher

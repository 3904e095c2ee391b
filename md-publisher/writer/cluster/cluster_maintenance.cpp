#include "md-publisher/writer/cluster/cluster_maintenance.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

namespace mdpipe::publisher {

class ClusterMaintenance::NodeCommands final : public NodeSink {
 public:
  NodeCommands(ClusterMaintenance& maintenance, HostPort at)
      : node(std::move(at)), maintenance_(maintenance) {}

  void on_reply(const Reply& reply) override { maintenance_.on_reply(indices[answered_++], reply, node); }
  void on_node_unreachable(const ConnectionFailure&) override {
    bool done = false;
    while (answered_ < indices.size()) done = maintenance_.maintenance_.on_unheard(indices[answered_++]);
    if (done) maintenance_.finish();
  }

  HostPort node;
  std::string text;
  std::vector<std::size_t> indices;

 private:
  ClusterMaintenance& maintenance_;
  std::size_t answered_ = 0;
};

ClusterMaintenance::ClusterMaintenance(ClusterNodes& nodes, StreamLengths& lengths,
                                       std::uint64_t stream_bytes_max, OnMaintenance on_maintenance)
    : nodes_(nodes), maintenance_(lengths, stream_bytes_max), on_maintenance_(std::move(on_maintenance)) {}

ClusterMaintenance::~ClusterMaintenance() = default;

bool ClusterMaintenance::begin(SteadyTime now, UnixNanos wall) {
  const auto masters = nodes_.masters();
  if (masters.empty() || !maintenance_.prepare(now, wall, masters.size())) return false;
  is_running_ = true;
  node_commands_.clear();
  auto next_master = masters.begin();
  for (std::size_t i = 0; i < maintenance_.count(); ++i) {
    const RedisKey* key = maintenance_.key(i);
    const HostPort* owner = key == nullptr ? &*next_master++ : nodes_.owner(slot_of(key->name));
    // Who has no owner is asked for in vain at any node, and in a second again.
    NodeCommands& commands = commands_for(owner == nullptr ? masters.front() : *owner);
    commands.text += maintenance_.command(i);
    commands.indices.push_back(i);
  }
  for (const auto& commands : node_commands_)
    nodes_.at(commands->node).ask(*commands, commands->text, commands->indices.size());
  return true;
}

ClusterMaintenance::NodeCommands& ClusterMaintenance::commands_for(const HostPort& node) {
  const auto found = std::find_if(node_commands_.begin(), node_commands_.end(),
                                  [&node](const auto& commands) { return commands->node == node; });
  if (found != node_commands_.end()) return **found;
  return *node_commands_.emplace_back(std::make_unique<NodeCommands>(*this, node));
}

void ClusterMaintenance::on_reply(std::size_t index, const Reply& reply, const HostPort& node) {
  if (reply.is_error() && classify(reply.text) == RedisErrorKind::Cluster) nodes_.ask_for_map();
  if (maintenance_.on_reply(index, reply, fmt::format("{}:{}", node.host, node.port))) finish();
}

void ClusterMaintenance::finish() {
  is_running_ = false;
  on_maintenance_(maintenance_.report());
}

}  // namespace mdpipe::publisher

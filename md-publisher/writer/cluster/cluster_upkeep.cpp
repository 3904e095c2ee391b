#include "md-publisher/writer/cluster/cluster_upkeep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

namespace mdpipe::publisher {

class ClusterUpkeep::Share final : public NodeClient {
 public:
  Share(ClusterUpkeep& upkeep, HostPort at) : node(std::move(at)), upkeep_(upkeep) {}

  void on_reply(const Reply& reply) override { upkeep_.on_reply(indices[answered_++], reply, node); }
  void on_node_lost(const std::string&, const std::optional<RefusedCommand>&) override {
    bool done = false;
    while (answered_ < indices.size()) done = upkeep_.upkeep_.on_unheard(indices[answered_++]);
    if (done) upkeep_.finish();
  }

  HostPort node;
  std::string commands;
  std::vector<std::size_t> indices;

 private:
  ClusterUpkeep& upkeep_;
  std::size_t answered_ = 0;
};

ClusterUpkeep::ClusterUpkeep(ClusterNodes& nodes, std::uint64_t stream_bytes_max, OnKept on_kept)
    : nodes_(nodes), upkeep_(stream_bytes_max), on_kept_(std::move(on_kept)) {}

ClusterUpkeep::~ClusterUpkeep() = default;

bool ClusterUpkeep::begin(SteadyTime now, UnixNanos wall) {
  const auto masters = nodes_.masters();
  if (masters.empty() || !upkeep_.prepare(now, wall, masters.size())) return false;
  is_running_ = true;
  shares_.clear();
  auto next_master = masters.begin();
  for (std::size_t i = 0; i < upkeep_.count(); ++i) {
    const RedisKey* key = upkeep_.key(i);
    const HostPort* owner = key == nullptr ? &*next_master++ : nodes_.owner(slot_of(key->name));
    // Who has no owner is asked for in vain at any node, and in a second again.
    Share& share = share_of(owner == nullptr ? masters.front() : *owner);
    share.commands += upkeep_.command(i);
    share.indices.push_back(i);
  }
  for (const auto& share : shares_)
    nodes_.at(share->node).ask(*share, share->commands, share->indices.size());
  return true;
}

ClusterUpkeep::Share& ClusterUpkeep::share_of(const HostPort& node) {
  const auto found = std::find_if(shares_.begin(), shares_.end(),
                                  [&node](const auto& share) { return share->node == node; });
  if (found != shares_.end()) return **found;
  return *shares_.emplace_back(std::make_unique<Share>(*this, node));
}

void ClusterUpkeep::on_reply(std::size_t index, const Reply& reply, const HostPort& node) {
  if (reply.is_error() && classify(reply.text) == Refusal::Cluster) nodes_.ask_for_map();
  if (upkeep_.on_reply(index, reply, fmt::format("{}:{}", node.host, node.port))) finish();
}

void ClusterUpkeep::finish() {
  is_running_ = false;
  on_kept_(upkeep_.report());
}

}  // namespace mdpipe::publisher

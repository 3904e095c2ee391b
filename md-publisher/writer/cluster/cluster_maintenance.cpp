#include "md-publisher/writer/cluster/cluster_maintenance.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

namespace mdpipe::publisher {

class ClusterMaintenance::StreamTotals final : public NodeSink {
 public:
  StreamTotals(ClusterMaintenance& maintenance, HostPort at)
      : node(std::move(at)), maintenance_(maintenance) {}

  void on_reply(const Reply& reply) override { maintenance_.on_reply(indices[answered_++], reply, node); }
  void on_node_unreachable(const ConnectionFailure&) override {
    bool done = false;
    while (answered_ < indices.size()) done = maintenance_.maintenance_.on_unheard(indices[answered_++]);
    if (done) maintenance_.finish();
  }

  HostPort node;
  std::string commands;
  std::vector<std::size_t> indices;

 private:
  ClusterMaintenance& maintenance_;
  std::size_t answered_ = 0;
};

ClusterMaintenance::ClusterMaintenance(ClusterNodes& nodes, StreamLengths& lengths,
                                       std::uint64_t stream_bytes_max, OnKept on_maintenance)
    : nodes_(nodes), maintenance_(lengths, stream_bytes_max), on_kept_(std::move(on_maintenance)) {}

ClusterMaintenance::~ClusterMaintenance() = default;

bool ClusterMaintenance::begin(SteadyTime now, UnixNanos wall) {
  const auto masters = nodes_.masters();
  if (masters.empty() || !maintenance_.prepare(now, wall, masters.size())) return false;
  is_running_ = true;
  stream_totals_.clear();
  auto next_master = masters.begin();
  for (std::size_t i = 0; i < maintenance_.count(); ++i) {
    const RedisKey* key = maintenance_.key(i);
    const HostPort* owner = key == nullptr ? &*next_master++ : nodes_.owner(slot_of(key->name));
    // Who has no owner is asked for in vain at any node, and in a second again.
    StreamTotals& totals_of = share_of(owner == nullptr ? masters.front() : *owner);
    totals_of.commands += maintenance_.command(i);
    totals_of.indices.push_back(i);
  }
  for (const auto& totals_of : stream_totals_)
    nodes_.at(totals_of->node).ask(*totals_of, totals_of->commands, totals_of->indices.size());
  return true;
}

ClusterMaintenance::StreamTotals& ClusterMaintenance::share_of(const HostPort& node) {
  const auto found = std::find_if(stream_totals_.begin(), stream_totals_.end(),
                                  [&node](const auto& totals_of) { return totals_of->node == node; });
  if (found != stream_totals_.end()) return **found;
  return *stream_totals_.emplace_back(std::make_unique<StreamTotals>(*this, node));
}

void ClusterMaintenance::on_reply(std::size_t index, const Reply& reply, const HostPort& node) {
  if (reply.is_error() && classify(reply.text) == RedisErrorKind::Cluster) nodes_.ask_for_map();
  if (maintenance_.on_reply(index, reply, fmt::format("{}:{}", node.host, node.port))) finish();
}

void ClusterMaintenance::finish() {
  is_running_ = false;
  on_kept_(maintenance_.report());
}

}  // namespace mdpipe::publisher

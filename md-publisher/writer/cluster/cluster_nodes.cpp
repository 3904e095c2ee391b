#include "md-publisher/writer/cluster/cluster_nodes.hpp"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "md-publisher/redis/resp.hpp"

namespace mdpipe::publisher {
namespace {

// A node that does not say who has which slot within that time is passed over.
constexpr std::chrono::milliseconds kMapAnswerMax{1'000};

}  // namespace

ClusterNodes::ClusterNodes(asio::io_context& io, RedisAddress address, std::chrono::milliseconds timeout,
                           Callbacks callbacks)
    : io_(io),
      address_(std::move(address)),
      timeout_(timeout),
      callbacks_(std::move(callbacks)),
      // A certificate is for a name; what a node announces as its name is what its certificate has to be for.
      slots_(address_.is_tls && address_.tls.server_name.empty() ? SlotMap::Prefer::Name
                                                                 : SlotMap::Prefer::Address),
      timer_(io) {}

void ClusterNodes::stop() {
  stopped_ = true;
  timer_.cancel();
  for (const auto& [name, node] : nodes_) node->stop();
}

HostPort ClusterNodes::follow(const Redirect& redirect, const HostPort& by) {
  HostPort to = redirect.to;
  if (to.host.empty()) to.host = by.host;
  if (redirect.is_ask) return slots_.known_as(to);
  slots_.move(redirect.slot, to);
  callbacks_.on_nodes_changed();
  return *slots_.owner(redirect.slot);
}

ClusterNode& ClusterNodes::at(const HostPort& node) {
  auto& found = nodes_[fmt::format("{}:{}", node.host, node.port)];
  if (!found) {
    RedisAddress address = address_;
    address.host = node.host;
    address.port = node.port;
    found = std::make_unique<ClusterNode>(io_, std::move(address), timeout_,
                                          [this] { callbacks_.on_nodes_changed(); });
  }
  return *found;
}

void ClusterNodes::ask_for_map() {
  if (is_asking_ || stopped_) return;
  is_asking_ = true;
  const auto& known = slots_.nodes();
  const auto& seeds = address_.cluster;
  const std::size_t next = next_++ % (known.size() + seeds.size());
  asked_ = next < known.size() ? known[next] : seeds[next - known.size()];
  std::string question;
  resp::append_command(question, "CLUSTER", "NODES");
  at(asked_).ask(*this, question, 1);
  // While the connection is being made, it has a limit of its own.
  timer_.expires_after(at(asked_).is_open() ? kMapAnswerMax : kNodeConnectMax + kMapAnswerMax);
  timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec) at(asked_).end_late(kMapAnswerMax);
  });
}

void ClusterNodes::on_reply(const Reply& reply) {
  const ClusterNode& node = at(asked_);
  if (reply.is_error())
    return on_node_unreachable(node.failure({classify(reply.text), reply.text, "CLUSTER NODES", {}}));
  if (!slots_.read(reply.text, asked_))
    return on_node_unreachable(
        {fmt::format("{}: CLUSTER NODES names no master with slots", node.address().display()),
         "Give the nodes their slots: redis-cli --cluster create, or fix.", std::nullopt});
  leave_nodes_without_slots();
  if (end_question()) callbacks_.on_map();
}

void ClusterNodes::on_node_unreachable(const ConnectionFailure& failure) {
  if (end_question()) callbacks_.on_no_map(failure);
}

// False if the answer is not needed any more.
bool ClusterNodes::end_question() {
  if (stopped_) return false;
  is_asking_ = false;
  timer_.cancel();
  return true;
}

// They may hang, or accept what no node will keep.
void ClusterNodes::leave_nodes_without_slots() {
  std::vector<ClusterNode*> left;
  for (const auto& [name, node] : nodes_) {
    const HostPort at{node->address().host, node->address().port};
    if (!slots_.has_slots(at) && !(at == asked_)) left.push_back(node.get());
  }
  for (ClusterNode* node : left)
    node->end({fmt::format("{} has no slots any more", node->address().display()), {}, std::nullopt});
}

}  // namespace mdpipe::publisher

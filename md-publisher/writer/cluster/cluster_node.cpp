#include "md-publisher/writer/cluster/cluster_node.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mdpipe::publisher {
namespace {

constexpr std::size_t kNodeBufferBytes = 16U << 10U;

ConnectionOptions node_connection(std::chrono::milliseconds timeout) {
  ConnectionOptions options;
  options.connect_max = std::min(timeout, kNodeConnectMax);
  options.answer_max = timeout;
  options.answer_option = "--redis-timeout";
  options.buffer_bytes = kNodeBufferBytes;
  return options;
}

}  // namespace

ClusterNode::ClusterNode(asio::io_context& io, RedisAddress address, std::chrono::milliseconds timeout,
                         std::function<void()> on_ended)
    : address_(std::move(address)),
      on_ended_(std::move(on_ended)),
      connection_(io, *this, node_connection(timeout)) {}

void ClusterNode::ask(NodeSink& client, std::string_view commands, std::size_t answers) {
  waiting_ += commands;
  asked_.push_back({&client, answers});
  if (connection_.is_closed()) connection_.open(address_);
  if (!connection_.is_open()) return;
  if (asked_.size() == 1) connection_.await_answer();
  flush();
}

void ClusterNode::on_open() {
  if (!asked_.empty()) connection_.await_answer();
  flush();
}

void ClusterNode::flush() {
  if (is_writing_ || waiting_.empty()) return;
  is_writing_ = true;
  writing_.swap(waiting_);
  waiting_.clear();
  connection_.send(writing_);
}

void ClusterNode::on_sent() {
  is_writing_ = false;
  flush();
}

void ClusterNode::on_replies() {
  while (const Reply* reply = connection_.next_reply()) on_reply(*reply);
}

void ClusterNode::on_reply(const Reply& reply) {
  if (asked_.empty())
    return end({fmt::format("{} sent an answer to no question", connection_.display()),
                "See the log of Redis.", std::nullopt});
  NodeSink& client = *asked_.front().client;
  if (--asked_.front().answers == 0) asked_.pop_front();
  asked_.empty() ? connection_.answered() : connection_.await_answer();
  client.on_reply(reply);
}

void ClusterNode::end(const ConnectionFailure& failure) {
  stop();
  on_ended_();
  for (const Asked& asked : std::exchange(asked_, {})) asked.client->on_node_unreachable(failure);
}

void ClusterNode::stop() {
  connection_.close();
  is_writing_ = false;
  waiting_.clear();
  writing_.clear();
}

}  // namespace mdpipe::publisher

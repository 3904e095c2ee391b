#pragma once
// Carries jobs out in a Redis Cluster: brings each to the node that has its slot, follows MOVED and ASK,
// waits for the replicas, and tries again what was refused or not answered, for as long as it takes.
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <string>
#include <vector>

#include "md-publisher/redis/reconnect_pace.hpp"
#include "md-publisher/writer/cluster/cluster_nodes.hpp"
#include "md-publisher/writer/cluster/slot_job.hpp"
#include "md-publisher/writer/event_writer.hpp"

namespace mdpipe::publisher {

class SlotRunner {
 public:
  struct Callbacks {
    std::function<void(SlotJob&)> on_done;
    // Either way the job is tried again.
    std::function<void(const RedisError&, std::chrono::milliseconds retry)> on_redis_error;
    std::function<void(const Disconnect&)> on_node_unreachable;
  };
  struct Options {
    unsigned wait_replicas = 0;
    std::chrono::milliseconds pause_max{5'000};  // if a person has to change something
  };

  SlotRunner(asio::io_context& io, ClusterNodes& nodes, Options options, Callbacks callbacks);

  // The job is borrowed until on_done.
  void begin(SlotJob& job);
  void stop();

 private:
  friend class SlotJob;

  void on_reply(SlotJob& job, const Reply& reply);
  void on_node_unreachable(SlotJob& job, const ConnectionFailure& failure);
  void wait_for_replicas(SlotJob& job);
  void on_replicas(SlotJob& job, const Reply& reply);
  void proceed(SlotJob& job);
  void finish(SlotJob& job);
  void on_redis_error(SlotJob& job, const RedisError& error);
  void put_off(SlotJob& job, const ConnectionFailure& failure);
  void try_again(SlotJob& job, std::chrono::milliseconds pause);

  ClusterNodes& nodes_;
  Options options_;
  Callbacks callbacks_;
  std::vector<SlotJob*> waiting_;  // for another try
  asio::steady_timer timer_;
  std::string commands_, wait_;
  ReconnectPace pace_;
  bool stopped_ = false;
};

}  // namespace mdpipe::publisher

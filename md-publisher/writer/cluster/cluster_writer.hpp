#pragma once
// Writes transactions to a Redis Cluster. A transaction is split into shards, one for each hash tag, which
// are written at the same time, each with its own cursors; when all are there, the cursor of each reader
// follows, and only then the transaction counts as written (ADR 22). A shard that a node refuses, or does not
// answer for, is kept and goes to whichever node has its slot by then; nothing is asked of the readers again.
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "md-publisher/redis/reconnect_pace.hpp"
#include "md-publisher/writer/cluster/cluster_maintenance.hpp"
#include "md-publisher/writer/cluster/cluster_nodes.hpp"
#include "md-publisher/writer/cluster/command_job.hpp"
#include "md-publisher/writer/cluster/shard_job.hpp"
#include "md-publisher/writer/cluster/slot_runner.hpp"
#include "md-publisher/writer/event_writer.hpp"

namespace mdpipe::publisher {

class ClusterWriter final : public EventWriter {
 public:
  // `lengths` outlives it.
  ClusterWriter(asio::io_context& io, RedisOptions options, StreamLengths& lengths,
                WriterCallbacks callbacks);

  void start() override;
  void stop() override;
  [[nodiscard]] bool is_ready() const override { return is_ready_; }
  [[nodiscard]] bool is_idle() const override {
    return round_.transaction == nullptr && !maintenance_.is_running();
  }
  [[nodiscard]] bool takes_writes() const override { return is_ready_ && !is_late_; }
  [[nodiscard]] std::string target() const override { return options_.address.display(); }
  void write(Transaction& transaction) override;

 private:
  ClusterNodes::Callbacks node_callbacks();
  SlotRunner::Callbacks runner_callbacks();

  void on_map();
  void on_no_map(const ConnectionFailure& failure);
  void read_cursors();
  void on_nodes_changed();
  void check_nodes();
  void maintain();
  void on_maintenance(const StreamMaintenance::Report& report);

  void begin_round();
  void split(const Transaction& transaction);
  ShardJob& shard_of(const RedisKey& key);
  void on_done(SlotJob& job);
  void write_cursors();
  void commit();

  RedisOptions options_;
  StreamLengths& lengths_;
  WriterCallbacks callbacks_;
  ClusterNodes nodes_;
  SlotRunner runner_;
  ClusterMaintenance maintenance_;
  Round round_;
  std::map<std::string, std::unique_ptr<ShardJob>> shards_;  // by hash tag
  std::vector<ShardJob*> shard_of_key_;                      // by number of the key
  std::vector<ShardJob*> active_;                            // of the round
  CommandJob states_, cursors_;
  asio::steady_timer retry_timer_, check_timer_;
  ReconnectPace pace_;       // to get a first map
  std::size_t pending_ = 0;  // jobs of the round that are not done
  Cursors read_;             // what was read at the start
  bool is_reading_ = false;  // the cursors
  bool is_ready_ = false, is_late_ = false, maintenance_is_due_ = false;
};

}  // namespace mdpipe::publisher

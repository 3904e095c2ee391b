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

#include "md-publisher/cluster/cluster_node.hpp"
#include "md-publisher/cluster/shard.hpp"
#include "md-publisher/cluster/slots.hpp"
#include "md-publisher/event_writer.hpp"

namespace mdpipe::publisher {

class ClusterWriter final : public EventWriter {
 public:
  ClusterWriter(asio::io_context& io, RedisOptions options, RedisEvents events);
  ~ClusterWriter() override;

  void start() override;
  void stop() override;
  [[nodiscard]] bool is_ready() const override { return is_ready_; }
  [[nodiscard]] bool is_idle() const override { return in_flight_ == nullptr; }
  [[nodiscard]] bool takes_writes() const override { return is_ready_ && !is_late_; }
  [[nodiscard]] std::string target() const override { return options_.address.display(); }
  void write(Transaction& transaction) override;

 private:
  class Job;       // something to be carried out in a slot, whichever node has it
  class ShardJob;  // the entries of a hash tag
  class HashJob;   // one command with one key: the states, the readers' cursors
  class MapJob;    // the question who has which slot

  ShardJob& shard_of(const RedisKey& key);
  void split(const Transaction& transaction);
  void begin(Job& job);
  void on_done(Job& job);
  void on_refused(Job& job, const RefusedCommand& refused);
  void on_late(Job& job, const std::string& why, const std::optional<RefusedCommand>& refused);
  void try_again_later(Job& job);
  void write_cursors();
  void commit();
  void on_cursors_read(const Reply& reply);

  void forget_cursors();
  void ask_for_map();
  void on_map(const std::string& nodes, const HostPort& asked);
  void look_around();
  ClusterNode& node(const HostPort& at);

  asio::io_context& io_;
  RedisOptions options_;
  RedisEvents events_;
  SlotMap slots_;
  std::map<std::string, std::unique_ptr<ClusterNode>> nodes_;  // by "host:port"
  std::map<std::string, std::unique_ptr<ShardJob>> shards_;    // by hash tag
  std::vector<ShardJob*> shard_of_key_;                        // by number of the key
  std::vector<ShardJob*> active_;                              // of the round
  std::unique_ptr<HashJob> states_, cursors_;
  std::unique_ptr<MapJob> map_job_;
  std::vector<Job*> waiting_;  // for another try
  asio::steady_timer retry_timer_, map_timer_, look_timer_;
  RoundId round_;
  Transaction* in_flight_ = nullptr;
  Outcome outcome_;
  std::size_t pending_ = 0;  // jobs of the round that are not done
  std::string commands_;     // scratch
  Cursors read_;             // what was read at the start
  std::size_t asked_ = 0;    // which node is asked for the map next
  unsigned failures_ = 0;    // since something was done
  bool is_ready_ = false, is_late_ = false, is_asking_map_ = false;
  bool stopped_ = false;
};

}  // namespace mdpipe::publisher

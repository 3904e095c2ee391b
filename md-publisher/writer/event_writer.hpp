#pragma once
// Whatever writes transactions to Redis: one Redis (redis_writer.hpp) or a Redis Cluster (cluster/). It is
// given one transaction at a time, keeps it until Redis has it, and says what became of it.
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "md-publisher/redis/connection_failure.hpp"
#include "md-publisher/redis/cursor.hpp"
#include "md-publisher/redis/redis_error.hpp"
#include "md-publisher/redis/redis_url.hpp"
#include "md-publisher/transaction/outcome.hpp"
#include "md-publisher/transaction/preflight.hpp"
#include "md-publisher/transaction/stream_maintenance.hpp"
#include "md-publisher/transaction/transaction.hpp"

namespace mdpipe::publisher {

// A connection that could not be made, or that ended.
struct Disconnect {
  ConnectionFailure failure;
  std::chrono::milliseconds retry{0};
};

struct WriterCallbacks {
  std::function<void(const Cursors&)> on_ready;
  std::function<void(const Transaction&, const Outcome&)> on_committed;
  // Nothing was written; the same transaction is written again by itself.
  std::function<void(const RedisError&, std::chrono::milliseconds retry)> on_redis_error;
  std::function<void(const std::vector<Removed>&)> on_removed;  // seen before a transaction
  std::function<void(const RedisError&)> on_unguarded;          // a stream is written without its guard
  std::function<void(const StreamMaintenance::Report&)>
      on_maintenance;  // once a second; the writer may be idle now
  // The connection or the transaction failed; what was on its way counts as not written. A new try follows by
  // itself.
  std::function<void(const Disconnect&)> on_disconnect;
  std::function<void(const std::string& reason)> on_gave_up;  // only with no_retry
  // A part of a Cluster is not reached; the transaction is kept by the writer.
  std::function<void(const Disconnect&)> on_node_unreachable;
  // A Cluster holds less of a stream than it had confirmed; what is missing is not known by number.
  std::function<void(const RedisKey&)> on_stream_lost;
};

struct RedisOptions {
  RedisAddress address;
  std::string cursor_key, state_key;
  std::chrono::milliseconds timeout{10'000};
  std::chrono::milliseconds reconnect_delay_max{5'000};
  bool no_retry = false;
  std::uint64_t stream_bytes_max = 0;
  std::string source;          // this publisher's name
  unsigned wait_replicas = 0;  // a transaction counts as written once this many replicas hold it
};

class EventWriter {
 public:
  virtual ~EventWriter() = default;

  virtual void start() = 0;
  virtual void stop() = 0;
  [[nodiscard]] virtual bool is_ready() const = 0;
  [[nodiscard]] virtual bool is_idle() const = 0;
  // False also while a refused transaction waits for its next try.
  [[nodiscard]] virtual bool takes_writes() const = 0;
  // The Redis that was reached last.
  [[nodiscard]] virtual std::string target() const = 0;
  // Seals and writes a transaction, borrowed until on_committed or on_disconnect. Only while ready and idle.
  virtual void write(Transaction& transaction) = 0;
};

}  // namespace mdpipe::publisher

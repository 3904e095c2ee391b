#pragma once
// The connection to Redis: reaches it, logs in, reads the cursors, then writes one transaction at a time. One
// at a time is what makes a failed one harmless: nothing behind it can have moved the cursor past it, so
// after any fault the cursor says exactly where to go on. While one is on its way the next one grows, so
// batches are as large as Redis is slow. A transaction that Redis refused as a whole is kept and written
// again.
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "md-publisher/redis/byte_stream.hpp"
#include "md-publisher/redis/handshake.hpp"
#include "md-publisher/redis/redis_error.hpp"
#include "md-publisher/redis/redis_url.hpp"
#include "md-publisher/redis/reply_reader.hpp"
#include "md-publisher/redis/sentinel.hpp"
#include "md-publisher/transaction/outcome.hpp"
#include "md-publisher/transaction/preflight.hpp"
#include "md-publisher/transaction/stream_maintenance.hpp"
#include "md-publisher/transaction/transaction.hpp"
#include "md-publisher/writer/event_writer.hpp"

namespace mdpipe::publisher {

class RedisWriter final : public EventWriter {
 public:
  // `lengths` outlives it.
  RedisWriter(asio::io_context& io, RedisOptions options, StreamLengths& lengths, RedisEvents events);

  void start() override { connect(); }
  void stop() override;
  [[nodiscard]] bool is_ready() const override { return state_ == State::Ready; }
  [[nodiscard]] bool is_idle() const override { return in_flight_ == nullptr && step_ != Step::Maintaining; }
  [[nodiscard]] bool takes_writes() const override {
    return is_ready() && (in_flight_ == nullptr || (step_ != Step::Waiting && !replicas_are_late_));
  }
  [[nodiscard]] std::string target() const override { return target_.display(); }
  void write(Transaction& transaction) override;

 private:
  enum class State { Down, Connecting, Handshake, Ready };
  // Of the transaction in flight; maintenance may run without one.
  enum class Step { Idle, Maintaining, Asking, Writing, Replicating, Waiting };

  void connect();
  void find_master();
  void check_master();
  void reach();
  void start_handshake();
  void send(const std::string& bytes);
  void begin();
  void maintain();
  void schedule_maintenance();
  void ask_or_send();
  void send_transaction();
  [[nodiscard]] std::size_t answer_bytes_to_wait_for() const;
  void read_more();
  void on_broken(std::string_view what, const std::error_code& ec);
  void on_bytes(std::size_t bytes);
  void on_reply();
  void on_handshake_reply(const Reply& reply);
  void on_maintenance_reply(const Reply& reply);
  void on_preflight_reply(const Reply& reply);
  void on_transaction_reply(const Reply& reply);
  void on_exec(const Reply& reply);
  void on_executed(const Reply& reply);
  void wait_for_replicas();
  void on_replicas(const Reply& reply);
  void finish(Outcome outcome);
  [[nodiscard]] bool lack_cursors(const Transaction& transaction, std::uint64_t created);
  void refuse(const RedisError& error);
  void expect_answer_in_time();
  void disconnect(const std::string& reason, std::optional<RedisError> error = std::nullopt);
  [[nodiscard]] std::chrono::milliseconds reconnect_delay(const std::optional<RedisError>& error);

  asio::io_context& io_;
  RedisOptions options_;
  StreamLengths& lengths_;
  RedisEvents events_;
  asio::steady_timer timeout_timer_, retry_timer_, maintenance_timer_;
  std::mt19937_64 random_;
  RedisAddress target_;
  std::unique_ptr<Sentinel> sentinel_;  // null: there are none
  std::unique_ptr<ByteStream> stream_;
  ReplyReader replies_;
  std::vector<char> read_buffer_;
  Handshake handshake_;
  Preflight preflight_;
  StreamMaintenance maintenance_;
  State state_ = State::Down;
  Step step_ = Step::Idle;
  Transaction* in_flight_ = nullptr;
  std::size_t replies_seen_ = 0;
  Outcome outcome_;  // of the transaction in flight while replicas are waited for
  bool replicas_are_late_ = false;
  std::string wait_;                                   // the command
  std::optional<RedisError> queue_error_;              // the first error while the transaction was queued
  std::set<std::string, std::less<>> stored_cursors_;  // sources whose cursor Redis has
  unsigned failures_ = 0;                              // since the last transaction that Redis took
  unsigned refusals_ = 0;                              // the same
  bool maintenance_is_due_ = false;
  bool stopped_ = false;
};

}  // namespace mdpipe::publisher

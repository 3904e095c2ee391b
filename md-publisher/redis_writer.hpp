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

#include "md-publisher/byte_stream.hpp"
#include "md-publisher/greeting.hpp"
#include "md-publisher/outcome.hpp"
#include "md-publisher/preflight.hpp"
#include "md-publisher/redis_url.hpp"
#include "md-publisher/refusal.hpp"
#include "md-publisher/reply_reader.hpp"
#include "md-publisher/sentinel.hpp"
#include "md-publisher/transaction.hpp"
#include "md-publisher/upkeep.hpp"

namespace mdpipe::publisher {

// A connection that ended.
struct Loss {
  std::string reason;
  std::chrono::milliseconds retry{0};
  std::optional<RefusedCommand> refused;  // where an answer of Redis was the reason
};

struct RedisEvents {
  std::function<void(const Cursors&)> on_ready;
  std::function<void(const Transaction&, const Outcome&)> on_committed;
  // Nothing was written; the same transaction is written again by itself.
  std::function<void(const RefusedCommand&, std::chrono::milliseconds retry)> on_refused;
  std::function<void(const std::vector<Removed>&)> on_removed;  // seen before a transaction
  std::function<void(const RefusedCommand&)> on_unguarded;      // a stream is written without its guard
  std::function<void(const Upkeep::Report&)> on_kept;  // once a second; also where it has become idle
  // The connection or the transaction failed; what was on its way counts as not written. A new try follows by
  // itself.
  std::function<void(const Loss&)> on_lost;
  std::function<void(const std::string& reason)> on_gave_up;  // only with no_retry
};

struct RedisOptions {
  RedisAddress address;
  std::string cursor_key, state_key;
  std::chrono::milliseconds timeout{10'000};
  std::chrono::milliseconds reconnect_delay_max{5'000};
  bool no_retry = false;
  std::uint64_t stream_bytes_max = 0;
  unsigned wait_replicas = 0;  // a transaction counts as written once so many replicas hold it
};

class RedisWriter {
 public:
  RedisWriter(asio::io_context& io, RedisOptions options, RedisEvents events);

  void start() { connect(); }
  void stop();

  [[nodiscard]] bool is_ready() const { return state_ == State::Ready; }
  [[nodiscard]] bool is_idle() const { return in_flight_ == nullptr && step_ != Step::KeepingUp; }
  // False also while a refused transaction waits for its next try.
  [[nodiscard]] bool takes_writes() const {
    return is_ready() && (in_flight_ == nullptr || (step_ != Step::Waiting && !replicas_are_late_));
  }

  // The Redis that was reached last.
  [[nodiscard]] const RedisAddress& target() const { return target_; }

  // Seals and writes a transaction, borrowed until on_committed or on_lost. Only while ready and idle.
  void write(Transaction& transaction);

 private:
  enum class State { Down, Connecting, Greeting, Ready };
  // Of the transaction in flight; upkeep may run without one.
  enum class Step { Idle, KeepingUp, Asking, Writing, Replicating, Waiting };

  void connect();
  void find_master();
  void check_master();
  void reach();
  void greet();
  void send(const std::string& bytes);
  void begin();
  void keep_up();
  void schedule_upkeep();
  void ask_or_send();
  void send_transaction();
  void read_more();
  void on_broken(std::string_view what, const std::error_code& ec);
  void on_bytes(std::size_t bytes);
  void on_reply();
  void on_greeting_reply(const Reply& reply);
  void on_upkeep_reply(const Reply& reply);
  void on_preflight_reply(const Reply& reply);
  void on_transaction_reply(const Reply& reply);
  void on_exec(const Reply& reply);
  void on_executed(const Reply& reply);
  void wait_for_replicas();
  void on_replicas(const Reply& reply);
  void finish(Outcome outcome);
  [[nodiscard]] bool lack_cursors(const Transaction& transaction, std::uint64_t created);
  void refuse(const RefusedCommand& refused);
  void expect_answer_in_time();
  void lose(const std::string& reason, std::optional<RefusedCommand> refused = std::nullopt);
  [[nodiscard]] std::chrono::milliseconds reconnect_delay(const std::optional<RefusedCommand>& refused);

  asio::io_context& io_;
  RedisOptions options_;
  RedisEvents events_;
  asio::steady_timer timeout_timer_, retry_timer_, upkeep_timer_;
  std::mt19937_64 random_;
  RedisAddress target_;
  std::unique_ptr<Sentinel> sentinel_;  // null: there are none
  std::unique_ptr<ByteStream> stream_;
  ReplyReader replies_;
  std::vector<char> read_buffer_;
  Greeting greeting_;
  Preflight preflight_;
  Upkeep upkeep_;
  State state_ = State::Down;
  Step step_ = Step::Idle;
  Transaction* in_flight_ = nullptr;
  std::size_t replies_seen_ = 0;
  Outcome outcome_;  // of the transaction in flight while replicas are waited for
  bool replicas_are_late_ = false;
  std::string wait_;                                   // the command
  std::optional<RefusedCommand> queue_error_;          // the first error while the transaction was queued
  std::set<std::string, std::less<>> stored_cursors_;  // sources whose cursor Redis has
  unsigned failures_ = 0;                              // since the last transaction that Redis took
  unsigned refusals_ = 0;                              // the same
  bool upkeep_is_due_ = false;
  bool stopped_ = false;
};

}  // namespace mdpipe::publisher

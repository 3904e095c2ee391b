#pragma once
// The connection to Redis: reaches it, logs in, reads the cursors, then writes one transaction at a time. One
// at a time is what makes a failed one harmless: nothing behind it can have moved the cursor past it, so
// after any fault the cursor says exactly where to go on. While one is on its way the next one grows, so
// batches are as large as Redis is slow.
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "libshared/config/options.hpp"
#include "md-publisher/byte_stream.hpp"
#include "md-publisher/redis_url.hpp"
#include "md-publisher/reply_reader.hpp"
#include "md-publisher/transaction.hpp"

namespace mdpipe::publisher {

using Cursors = std::vector<std::pair<std::string, std::string>>;  // source, "epoch:seq"

// One entry of a committed transaction that Redis refused for its own sake, such as a key of another type.
struct RefusedEntry {
  const Transaction::Entry* entry;
  std::string_view error;
};

struct RedisEvents {
  std::function<void(const Cursors&)> on_ready;
  std::function<void(const Transaction&, const std::vector<RefusedEntry>&)> on_committed;
  // The connection or the transaction failed; what was on its way counts as not written. A new try follows by
  // itself.
  std::function<void(const std::string& reason, std::chrono::milliseconds retry)> on_lost;
  std::function<void(const std::string& reason)> on_gave_up;  // only with no_retry
};

struct RedisOptions {
  RedisAddress address;
  std::string cursor_key;
  std::chrono::milliseconds timeout{10'000};
  std::chrono::milliseconds reconnect_delay_max{5'000};
  bool no_retry = false;
};

class RedisWriter {
 public:
  RedisWriter(asio::io_context& io, RedisOptions options, RedisEvents events);

  void start() { connect(); }
  void stop();

  [[nodiscard]] bool is_ready() const { return state_ == State::Ready; }
  [[nodiscard]] bool is_idle() const { return in_flight_ == nullptr; }

  // Writes a sealed transaction, borrowed until on_committed or on_lost. Only while ready and idle.
  void write(const Transaction& transaction);

 private:
  enum class State { Down, Connecting, Greeting, Ready };

  void connect();
  void greet();
  void read_more();
  void on_bytes(std::size_t bytes);
  void on_reply();
  void on_greeting_reply(const Reply& reply);
  void on_transaction_reply(const Reply& reply);
  void on_exec(const Reply& reply);
  void expect_answer_in_time();
  void lose(const std::string& reason);

  asio::io_context& io_;
  RedisOptions options_;
  RedisEvents events_;
  asio::steady_timer timeout_timer_, retry_timer_;
  std::mt19937_64 random_;
  std::unique_ptr<ByteStream> stream_;
  ReplyReader replies_;
  std::vector<char> read_buffer_;
  std::string greeting_;
  std::vector<std::string> greeting_steps_;  // what each reply still to come answers, last first
  State state_ = State::Down;
  const Transaction* in_flight_ = nullptr;
  std::size_t replies_left_ = 0;
  std::string queue_error_;  // the first error while the transaction was queued
  unsigned failures_ = 0;
  bool stopped_ = false;
};

}  // namespace mdpipe::publisher

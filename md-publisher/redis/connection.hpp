#pragma once
// The one way to a Redis, a Sentinel or a node of a Cluster: resolves the name, tries its addresses one after
// the other, each with its own share of the time, secures the connection with TLS, logs in, sends commands
// and reads replies. What the commands are, and when to try again, is the owner's to decide.
#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "md-publisher/redis/byte_stream.hpp"
#include "md-publisher/redis/connection_failure.hpp"
#include "md-publisher/redis/handshake.hpp"
#include "md-publisher/redis/redis_url.hpp"
#include "md-publisher/redis/reply_reader.hpp"

namespace mdpipe::publisher {

// Called in the loop, never from inside open(), send() or close().
class ConnectionSink {
 public:
  virtual ~ConnectionSink() = default;
  virtual void on_open() = 0;
  // Bytes came: take the replies with next_reply() until there is none. Once a read, not once a reply.
  virtual void on_replies() = 0;
  // What send() was given is written.
  virtual void on_sent() {}
  // The connection could not be made, or ended.
  virtual void on_disconnect(const ConnectionFailure& failure) = 0;
};

struct ConnectionOptions {
  // For the name, and then for all its addresses together, with TLS and login.
  std::chrono::milliseconds connect_max{0};
  std::chrono::milliseconds answer_max{0};  // for the next answer, see await_answer()
  std::string_view answer_option;           // the option that sets answer_max; empty: none does
  std::size_t buffer_bytes = 0;             // read at once
  Handshake::Scope scope = Handshake::Scope::Redis;
};

class Connection {
 public:
  // `sink` outlives the connection.
  Connection(asio::io_context& io, ConnectionSink& sink, const ConnectionOptions& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // on_open() or on_disconnect() follows. Ends a connection that was there before.
  void open(const RedisAddress& to);
  // Nothing is called afterwards.
  void close();
  [[nodiscard]] bool is_closed() const { return phase_ == Phase::Closed; }
  [[nodiscard]] bool is_open() const { return phase_ == Phase::Open; }

  // One at a time; `commands` must stay as they are until on_sent(). If writing fails, on_disconnect()
  // follows.
  void send(std::string_view commands);
  // Ends the connection unless answered() or await_answer() comes in time.
  void await_answer();
  void answered() { timer_.cancel(); }
  // Valid until the next call; null: no more has come, or the connection was closed.
  const Reply* next_reply();
  // At least so many bytes more will come for certain: the next read may wait for them.
  void expect(std::size_t bytes) { expected_bytes_ = bytes; }

  // Of this connection, for the owner's own reasons to end it.
  [[nodiscard]] ConnectionFailure failure(const RedisError& error) const {
    return failure_of(state(), error);
  }
  [[nodiscard]] ConnectionFailure timeout(std::chrono::milliseconds limit, std::string_view option) const {
    return timeout_of(state(), limit, option);
  }
  // The address that is or was reached: "127.0.0.1:6379", or "redis.example:6379 (127.0.0.1:6379)".
  [[nodiscard]] std::string display() const { return state().display(); }
  // The address alone; empty if none was tried.
  [[nodiscard]] std::string peer() const { return state().peer; }

 private:
  using Phase = ConnectionPhase;
  using Endpoint = asio::generic::stream_protocol::endpoint;

  void resolve();
  void on_resolved(const asio::ip::tcp::resolver::results_type& found);
  void try_addresses();
  void try_next_address();
  void secure();
  void log_in();
  void on_logged_in();
  void read_more();
  void on_bytes(std::size_t bytes);
  bool read_handshake();
  void start_timer(std::chrono::milliseconds limit, std::string_view option);
  void fail(ConnectionFailure failure);
  void end(const ConnectionFailure& failure);
  // Named only if the limit is what the option says.
  [[nodiscard]] std::string_view connect_option() const {
    return options_.connect_max == options_.answer_max ? options_.answer_option : "";
  }
  [[nodiscard]] ConnectionState state() const;

  asio::io_context& io_;
  ConnectionSink& sink_;
  ConnectionOptions options_;
  asio::ip::tcp::resolver resolver_;
  asio::steady_timer timer_;
  RedisAddress to_;
  std::vector<Endpoint> addresses_;
  std::vector<std::string> address_texts_;  // the same, to be shown
  std::size_t next_address_ = 0;
  std::chrono::steady_clock::time_point connect_deadline_;
  std::string failed_addresses_;  // what the addresses before this one came to
  std::unique_ptr<ByteStream> stream_;
  Phase phase_ = Phase::Closed;
  std::shared_ptr<bool> is_current_;  // false once closed; of handlers that may run later
  Handshake handshake_;
  ReplyReader replies_;
  std::vector<char> buffer_;
  std::size_t expected_bytes_ = 1;
  bool has_answered_ = false;
  bool is_broken_ = false;  // what came is not Redis's protocol
};

}  // namespace mdpipe::publisher

#pragma once
// Writes to one Redis: connects, reads the cursors, then writes one transaction at a time. One at a time is
// what makes a failed one harmless: nothing behind it can have moved the cursor past it, so after any fault
// the cursor says exactly where to go on. While one is on its way the next one grows, so batches are as large
// as Redis is slow. A transaction that Redis rejected as a whole is kept and written again. writer_states.cpp
// says on one page what happens when.
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "md-publisher/redis/connection.hpp"
#include "md-publisher/redis/reconnect_pace.hpp"
#include "md-publisher/redis/sentinel.hpp"
#include "md-publisher/transaction/outcome.hpp"
#include "md-publisher/transaction/preflight.hpp"
#include "md-publisher/transaction/stream_maintenance.hpp"
#include "md-publisher/transaction/transaction.hpp"
#include "md-publisher/writer/event_writer.hpp"
#include "md-publisher/writer/writer_states.hpp"

namespace mdpipe::publisher {

class RedisWriter final : public EventWriter, private ConnectionSink {
 public:
  // `lengths` outlives it.
  RedisWriter(asio::io_context& io, RedisOptions options, StreamLengths& lengths, WriterCallbacks callbacks);

  void start() override { on(WriterEvent::Start); }
  void stop() override { on(WriterEvent::Stop); }
  [[nodiscard]] bool is_ready() const override { return info(state_).is_ready; }
  [[nodiscard]] bool is_idle() const override { return info(state_).is_idle; }
  [[nodiscard]] bool takes_writes() const override { return info(state_).takes_writes; }
  [[nodiscard]] std::string target() const override;
  void write(Transaction& transaction) override;

 private:
  // Enters the next state, then acts; the action may be the next event.
  void on(WriterEvent event);
  void act(WriterAction action);

  // The actions.
  void connect();
  void ask_for_cursors();
  void report_ready();
  void check_streams();
  void send_transaction();
  void pause_transaction();
  void report_replicas_late();
  void report_commit();
  void report_commit_and_disconnect();
  void pause_connection();
  void close();

  void on_open() override { on(WriterEvent::Connected); }
  void on_replies() override;
  void on_disconnect(const ConnectionFailure& failure) override { disconnect(failure); }
  void on_reply(const Reply& reply);
  void on_cursors_reply(const Reply& reply);
  void on_maintenance_reply(const Reply& reply);
  void on_preflight_reply(const Reply& reply);
  void on_transaction_reply(const Reply& reply);
  void on_exec(const Reply& reply);
  void on_executed(const Reply& reply);
  void on_replicas(const Reply& reply);

  void send(const std::string& commands);
  void start_writing();
  bool prepare_maintenance();
  void schedule_maintenance();
  void check_master();
  void commit();
  void reject(const RedisError& error);
  void disconnect(const ConnectionFailure& failure);
  void disconnect(const RedisError& error) { disconnect(connection_.failure(error)); }
  [[nodiscard]] std::size_t answer_bytes_to_wait_for() const;
  [[nodiscard]] bool lack_cursors(const Transaction& transaction, std::uint64_t created);

  RedisOptions options_;
  StreamLengths& lengths_;
  WriterCallbacks callbacks_;
  asio::steady_timer retry_timer_, maintenance_timer_;
  RedisAddress target_;
  std::unique_ptr<Sentinel> sentinel_;  // null: there are none
  Connection connection_;
  ReconnectPace pace_;
  Preflight preflight_;
  StreamMaintenance maintenance_;
  WriterState state_ = WriterState::Stopped;
  Transaction* in_flight_ = nullptr;
  std::size_t replies_seen_ = 0;                       // to the commands sent last
  Outcome outcome_;                                    // of the transaction in flight, once it is executed
  RedisError rejection_;                               // of the transaction in flight
  ConnectionFailure failure_;                          // why the connection ended last
  std::optional<RedisError> queue_error_;              // the first error while the transaction was queued
  std::string cursor_question_, wait_;                 // commands
  Cursors cursors_;                                    // as they were read
  std::set<std::string, std::less<>> stored_cursors_;  // sources whose cursor Redis has
  unsigned rejections_ = 0;                            // since the last transaction that Redis wrote
  bool maintenance_is_due_ = false;
};

}  // namespace mdpipe::publisher

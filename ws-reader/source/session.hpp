#pragma once
// Keeps one subscribed connection to the exchange while the program runs: connects, subscribes within the
// exchange's pacing, sends pings, detects a dead peer, and reconnects by the rules of ReconnectPolicy. Frames
// pass through unchanged.
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "libshared/pacing/request_pacer.hpp"
#include "libshared/time/time.hpp"
#include "ws-reader/feeds/subscription_changes.hpp"
#include "ws-reader/source/reconnect_policy.hpp"
#include "ws-reader/source/websocket.hpp"
#include "ws-reader/venues/adapter.hpp"

namespace mdpipe::reader {

struct SessionOptions {
  WebSocketOptions socket;
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds ping_interval{20'000};  // 0: no pings
  std::chrono::milliseconds pong_timeout{10'000};
  ReconnectLimits reconnect;
  bool no_retry = false;    // the first lost connection ends the session
  std::string pacing_file;  // shared by the readers of this host; empty: paced alone
};

// Called from the loop. Views are valid during the call.
class SessionSink {
 public:
  // Reads one frame; called for each, in order.
  virtual venues::FrameResult on_frame(std::string_view frame) = 0;
  virtual void on_binary_frame(std::string_view frame) = 0;
  virtual void on_frame_too_large(std::size_t bytes) = 0;  // the frame was skipped
  // `again`: there was a connection before.
  virtual void on_connected(bool again) = 0;
  virtual void on_requests_sent() = 0;  // all subscriptions are sent
  virtual void on_subscribed() = 0;     // all are sent and, if the exchange answers, answered
  // The connection ended, or could not be opened.
  virtual void on_disconnected(const std::string& reason) = 0;
  // It could not be opened, and it was not stop() that ended the attempt; after on_disconnected().
  virtual void on_connection_failed() = 0;
  virtual void on_gave_up(const std::string& reason) = 0;  // only with no_retry
  virtual void on_stopped() = 0;                           // after stop(): the connection is closed

 protected:
  ~SessionSink() = default;
};

class Session final : private WebSocketSink {
 public:
  // Borrows the adapter and the sink, which must outlive the session. Throws process::StartupError for a URL
  // or a CA file that cannot be used.
  Session(asio::io_context& io, const venues::Adapter& adapter, SessionOptions options,
          std::vector<venues::Subscription> subscriptions, SessionSink& sink);

  void start();
  void stop();  // closes the connection, then calls on_stopped; nothing is tried again
  [[nodiscard]] bool is_closed() const { return !open_; }

  // Stops and resumes reading frames. Call pause() from inside on_frame only.
  void pause() { socket_->pause(); }
  void resume() { socket_->resume(); }

  // Ends this subscription and begins it again. Its requests are sent after those that already wait, within
  // the exchange's pacing. False if nothing was done: there is no connection, too many requests wait, or the
  // exchange has no request that ends a subscription.
  bool resubscribe(const venues::Subscription& subscription);
  // Ends and begins subscriptions; `all` are wanted from now on. An open connection stays open; without one
  // the next connection subscribes to all.
  void change(const SubscriptionChanges& changes, std::vector<venues::Subscription> all);
  // Closes the connection, even if nothing seems wrong with it, and connects again. Does nothing with
  // no_retry.
  void reconnect(const std::string& reason);

 private:
  void on_open() override;
  void on_text(std::string_view frame) override;
  void on_binary(std::string_view frame) override;
  void on_too_large(std::size_t bytes) override;
  void on_alive() override { heard_ = true; }
  void on_pong() override;
  void on_closed(const CloseInfo& info) override;

  void connect();
  void give_up_connection(const std::string& reason);
  void enqueue(std::vector<venues::Request> requests);
  void send_next_request();
  void on_request_queue_empty();
  void check_subscribed();
  void on_answer(const venues::FrameResult& result);
  void schedule_ping();
  void send_ping();
  void watch_idle();

  asio::io_context& io_;
  const venues::Adapter& adapter_;
  SessionOptions options_;
  std::vector<venues::Subscription> subscriptions_;
  SessionSink& sink_;
  ReconnectPolicy reconnect_policy_;
  pacing::RequestPacer pacer_;
  std::mt19937_64 random_;
  std::unique_ptr<WebSocket> socket_;

  // One timer for each thing that has a deadline.
  asio::steady_timer connect_timer_, request_timer_, ping_timer_, pong_timer_, idle_timer_;

  bool stopping_ = false;
  bool open_ = false;
  bool was_connected_ = false;  // at least once
  bool subscribed_ = false;
  bool awaiting_pong_ = false;
  bool heard_ = false;  // something was received since watch_idle() last checked
  SteadyTime opened_at_{};
  SteadyTime subscribing_since_{};
  bool requests_sent_ = false;
  std::deque<venues::Request> to_send_;
  venues::Request last_sent_;
  unsigned repeats_ = 0;
  std::vector<std::uint64_t> unanswered_;
  std::uint64_t next_request_id_ = 1;
};

}  // namespace mdpipe::reader

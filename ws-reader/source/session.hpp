#pragma once
// Keeps one subscribed connection to the exchange for as long as the program runs: connects, subscribes
// within the exchange's pacing, pings, notices a dead peer, and comes back by the rules of ReconnectPolicy.
// Frames pass through untouched.
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "libshared/pacing/request_pacer.hpp"
#include "libshared/time/time.hpp"
#include "ws-reader/config.hpp"
#include "ws-reader/reader_metrics.hpp"
#include "ws-reader/source/reconnect_policy.hpp"
#include "ws-reader/source/websocket.hpp"
#include "ws-reader/venues/adapter.hpp"

namespace mdpipe::reader {

struct SessionEvents {
  // Reads one frame; called for each, in order.
  std::function<venues::FrameResult(std::string_view frame)> on_frame;
  std::function<void()> on_connected;
  std::function<void()> on_requests_sent;                          // all subscriptions are out
  std::function<void(const std::string& reason)> on_disconnected;  // or not connected at all
  std::function<void()> on_subscribed;  // all requests are out and, where the exchange answers, answered
  std::function<void(const std::string& reason)> on_gave_up;  // only with --no-retry
  std::function<void()> on_stopped;                           // after stop(): the connection is closed
};

class Session final : private WebSocketHandler {
 public:
  // Borrows config, adapter and metrics for its life.
  Session(asio::io_context& io, const Config& config, const venues::Adapter& adapter, ReaderMetrics& metrics,
          SessionEvents events);

  void start();
  void stop();  // closes the connection, then calls on_stopped; nothing is tried again
  [[nodiscard]] bool is_closed() const { return !open_; }

  // Takes no frames, or takes them again. Pause from inside on_frame only.
  void pause() { socket_->pause(); }
  void resume() { socket_->resume(); }

  // Ends this subscription and begins it again, after what waits to be sent and within the pacing. False
  // where nothing was done: not connected, too much is waiting, or the exchange has no way to do it.
  bool resubscribe(const venues::Subscription& subscription);
  // Ends and begins subscriptions on the living connection, after what waits to be sent and within the
  // pacing. Without a connection the next one asks for what is configured then.
  void change(const std::vector<venues::Subscription>& ended, const std::vector<venues::Subscription>& begun);
  // Connects anew, also where this connection seems well. With --no-retry it stays.
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
  const Config& config_;
  const venues::Adapter& adapter_;
  ReaderMetrics& metrics_;
  SessionEvents events_;
  std::string url_;
  ReconnectPolicy reconnect_policy_;
  pacing::RequestPacer pacer_;
  std::mt19937_64 random_;
  std::unique_ptr<WebSocket> socket_;

  // One timer for each thing that may be late.
  asio::steady_timer connect_timer_, request_timer_, ping_timer_, pong_timer_, idle_timer_;

  bool stopping_ = false;
  bool open_ = false;
  bool was_connected_ = false;  // ever
  bool subscribed_ = false;
  bool awaiting_pong_ = false;
  bool heard_ = false;  // something came since the idle watch last looked
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

#pragma once
// Where frames come from: the WebSocket session of an exchange or, with --stdin, the lines of standard input;
// and over HTTP the snapshots that some books need. Gives each frame its receive time, passes it to the
// pipeline, and pauses while too much waits for Redis (InputBrake).
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/log/log.hpp"
#include "libshared/time/time.hpp"
#include "ws-reader/books/rest_fetcher.hpp"
#include "ws-reader/config.hpp"
#include "ws-reader/delivery.hpp"
#include "ws-reader/feeds/feed_monitor.hpp"
#include "ws-reader/feeds/subscription_changes.hpp"
#include "ws-reader/outbox/input_brake.hpp"
#include "ws-reader/pipeline.hpp"
#include "ws-reader/reader_metrics.hpp"
#include "ws-reader/source/line_reader.hpp"
#include "ws-reader/source/session.hpp"

namespace mdpipe::reader {

// Called from the loop.
struct SourceCallbacks {
  std::function<void(const std::string& status)> on_ready;  // frames come from now on
  std::function<void(const std::string& reason)> on_gave_up;
  std::function<void()> on_end;     // of standard input
  std::function<void()> on_closed;  // after stop(): the connection is closed
};

class FrameSource final : private SessionSink {
 public:
  // Borrows everything, which must outlive it. `input` is the descriptor that --stdin reads.
  struct Parts {
    const Config& config;
    venues::Adapter& adapter;
    Pipeline& pipeline;
    Delivery& delivery;
    ReaderMetrics& metrics;
    FeedMonitor* feeds;  // null with --stdin
    int input;
  };
  FrameSource(asio::io_context& io, Parts parts, SourceCallbacks callbacks);

  // Throws process::StartupError.
  void start();
  void stop();
  [[nodiscard]] bool is_closed() const { return !session_ || session_->is_closed(); }

  // Continues after a pause if enough was confirmed. Call after each confirmation and a few times a second.
  void resume_if_caught_up();

  // See Session. Without a session these do nothing.
  bool resubscribe(const venues::Subscription& subscription);
  void reconnect(const std::string& reason);
  void change(const SubscriptionChanges& changes);

  // What checked books ask for: a snapshot over HTTP, or the symbol's channel subscribed again because it
  // sends none.
  void request_book(std::string_view symbol);
  void resubscribe_book(std::string_view symbol);

 private:
  venues::FrameResult on_frame(std::string_view frame) override;
  void on_binary_frame(std::string_view frame) override { parts_.metrics.binary_frame(frame); }
  void on_frame_too_large(std::size_t bytes) override;
  void on_connected(bool again) override;
  void on_requests_sent() override { parts_.feeds->on_subscribed(moment_now()); }
  void on_subscribed() override;
  void on_disconnected(const std::string& reason) override;
  void on_connection_failed() override { parts_.metrics.connection_failed(); }
  void on_gave_up(const std::string& reason) override { callbacks_.on_gave_up(reason); }
  void on_stopped() override { callbacks_.on_closed(); }

  void start_lines();
  void start_session();
  void start_book_fetcher();
  void on_line(std::string_view line);
  void schedule_feed_tick();
  void pause_if_behind();

  asio::io_context& io_;
  Parts parts_;
  SourceCallbacks callbacks_;
  InputBrake brake_;
  std::unique_ptr<Session> session_;            // null before start() and with --stdin
  std::unique_ptr<LineReader> lines_;           // null before start() and without --stdin
  std::unique_ptr<RestFetcher> books_fetcher_;  // null if no book needs a snapshot over HTTP
  asio::steady_timer feed_timer_;
  SteadyTime turn_began_{};
  log::RateLimit resubscribe_limit_;
  bool is_paused_ = false;
  bool is_stopping_ = false;
};

}  // namespace mdpipe::reader

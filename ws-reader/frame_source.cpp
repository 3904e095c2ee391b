#include "ws-reader/frame_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "libshared/json/json_string.hpp"
#include "ws-reader/assembly.hpp"

namespace mdpipe::reader {

FrameSource::FrameSource(asio::io_context& io, Parts parts, SourceCallbacks callbacks)
    : io_(io),
      parts_(parts),
      callbacks_(std::move(callbacks)),
      brake_(brake_limits(parts.config)),
      feed_timer_(io) {}

void FrameSource::start() {
  if (parts_.config.checks_books() && parts_.adapter.profile().books == venues::BookRecipe::RestSeeded)
    start_book_fetcher();
  if (parts_.config.from_stdin) return start_lines();
  start_session();
}

void FrameSource::start_lines() {
  LineCallbacks callbacks;
  callbacks.on_line = [this](std::string_view line) { on_line(line); };
  callbacks.on_too_long = [this](std::size_t bytes) { on_frame_too_large(bytes); };
  callbacks.on_end = [this] { callbacks_.on_end(); };
  lines_ = std::make_unique<LineReader>(io_, parts_.input, parts_.config.frame_bytes_max.count,
                                        std::move(callbacks));
  lines_->start();
  callbacks_.on_ready("reading standard input");
}

void FrameSource::start_session() {
  SessionSink& sink = *this;  // the base is private, so only a member can convert to it
  session_ =
      std::make_unique<Session>(io_, parts_.adapter, session_options(parts_.config, parts_.adapter.profile()),
                                parts_.config.subscriptions(), sink);
  parts_.feeds->start(moment_now());
  schedule_feed_tick();
  session_->start();
}

void FrameSource::start_book_fetcher() {
  RestCallbacks callbacks;
  callbacks.target = [this](std::string_view symbol) { return parts_.adapter.book_snapshot_target(symbol); };
  callbacks.on_body = [this](std::string_view symbol, std::string_view body) {
    return parts_.pipeline.on_book_snapshot(symbol, body, moment_now()).reason;
  };
  callbacks.on_error = [this](std::string_view symbol, std::string_view reason,
                              std::chrono::milliseconds retry) {
    parts_.metrics.rest_failed(symbol, reason, retry);
  };
  callbacks.on_queue_full = [this](std::string_view symbol) {
    parts_.pipeline.on_book_snapshot_failed(symbol, steady_now());
  };
  books_fetcher_ =
      RestFetcher::make(io_, rest_options(parts_.config, parts_.adapter.profile()), std::move(callbacks));
}

void FrameSource::schedule_feed_tick() {
  feed_timer_.expires_after(FeedMonitor::kTickInterval);
  feed_timer_.async_wait([this](const asio::error_code& ec) {
    if (ec || is_stopping_) return;
    parts_.feeds->tick(moment_now());
    schedule_feed_tick();
  });
}

void FrameSource::stop() {
  is_stopping_ = true;
  if (session_) session_->stop();
  if (lines_) lines_->stop();
  if (books_fetcher_) books_fetcher_->stop();
}

// Each frame has its own receive time; the feeds are judged by the time of the loop turn.
venues::FrameResult FrameSource::on_frame(std::string_view frame) {
  if (!parts_.delivery.writer().is_flush_due()) turn_began_ = steady_now();
  const venues::FrameResult result = parts_.pipeline.on_frame(frame, {wall_now(), turn_began_});
  pause_if_behind();
  return result;
}

void FrameSource::on_line(std::string_view line) {
  if (line.back() == '\r') line.remove_suffix(1);
  if (!line.empty()) on_frame(line);
}

void FrameSource::on_frame_too_large(std::size_t bytes) {
  parts_.metrics.frame_too_large(bytes, parts_.config.frame_bytes_max.count);
}

void FrameSource::on_connected(bool again) {
  parts_.metrics.connected(again);
  parts_.feeds->on_connected(moment_now());
}

void FrameSource::on_subscribed() {
  callbacks_.on_ready(fmt::format("subscribed to {} streams", parts_.config.subscriptions().size()));
}

void FrameSource::on_disconnected(const std::string& reason) {
  parts_.metrics.disconnected();
  parts_.pipeline.on_disconnected();
  parts_.feeds->on_disconnected(printable_sample(reason), moment_now());
}

void FrameSource::pause_if_behind() {
  // Standard output blocks, so nothing waits in memory.
  if (parts_.config.to_stdout ||
      !brake_.should_pause(parts_.delivery.outbox().unconfirmed_bytes(), turn_began_))
    return;
  if (!std::exchange(is_paused_, true)) parts_.metrics.input_paused();
  if (lines_) lines_->pause();
  if (session_) session_->pause();
}

void FrameSource::resume_if_caught_up() {
  if (brake_.should_pause(parts_.delivery.outbox().unconfirmed_bytes(), steady_now())) return;
  is_paused_ = false;
  if (lines_) lines_->resume();
  if (session_) session_->resume();
}

bool FrameSource::resubscribe(const venues::Subscription& subscription) {
  return session_ && session_->resubscribe(subscription);
}

void FrameSource::reconnect(const std::string& reason) {
  if (session_) session_->reconnect(reason);
}

void FrameSource::change(const SubscriptionChanges& changes) {
  for (const auto& ended : changes.ended) {
    if (books_fetcher_ && ended.channel == EventType::OrderBook) books_fetcher_->forget(ended.symbol);
  }
  if (session_) session_->change(changes, parts_.config.subscriptions());
}

void FrameSource::request_book(std::string_view symbol) {
  if (books_fetcher_) books_fetcher_->request(symbol);
}

void FrameSource::resubscribe_book(std::string_view symbol) {
  if (const auto suppressed = resubscribe_limit_.admit(steady_now()))
    log::warn("no order book snapshot received; subscribing again",
              {{"symbol", symbol}, {"suppressed", *suppressed}});
  resubscribe({EventType::OrderBook, std::string(symbol)});
}

}  // namespace mdpipe::reader

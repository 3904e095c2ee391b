#include "ws-reader/source/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "libshared/json/json_string.hpp"
#include "libshared/log/log.hpp"

namespace mdpipe::reader {
namespace {

using std::chrono::milliseconds;

constexpr unsigned kGoingAway = 1001;  // RFC 6455, 7.4.1
// Repeats, in a row, of a request that the exchange refused because it came too fast.
constexpr unsigned kRepeatsMax = 5;
// With this many requests waiting, none is added for a silent feed: the feed monitor asks again later.
constexpr std::size_t kWaitingMax = 64;

// The answers do not matter: the exchange may refuse to end a subscription.
void forget_ids(std::vector<venues::Request>& requests) {
  for (auto& request : requests) request.id.reset();
}

}  // namespace

Session::Session(asio::io_context& io, const venues::Adapter& adapter, SessionOptions options,
                 std::vector<venues::Subscription> subscriptions, SessionSink& sink)
    : io_(io),
      adapter_(adapter),
      options_(std::move(options)),
      subscriptions_(std::move(subscriptions)),
      sink_(sink),
      reconnect_policy_(options_.reconnect),
      pacer_(adapter.profile().request_interval, options_.pacing_file),
      random_(std::random_device{}()),
      socket_(WebSocket::make(io, options_.socket, *this)),
      connect_timer_(io),
      request_timer_(io),
      ping_timer_(io),
      pong_timer_(io),
      idle_timer_(io) {}

void Session::start() { connect(); }

void Session::stop() {
  stopping_ = true;
  for (auto* timer : {&connect_timer_, &request_timer_, &ping_timer_, &pong_timer_, &idle_timer_})
    timer->cancel();
  if (open_) {
    socket_->resume();  // the exchange's answer has to be read
    socket_->close(kGoingAway, "stopping");
  } else {
    socket_->abort();
  }
}

void Session::connect() {
  log::info("connecting", {{"url", options_.socket.url}});
  socket_->connect();
  connect_timer_.expires_after(options_.connect_timeout);
  connect_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec)
      give_up_connection(
          fmt::format("no connection within --connect-timeout {} ms", options_.connect_timeout.count()));
  });
}

void Session::on_open() {
  connect_timer_.cancel();
  open_ = true;
  heard_ = true;
  opened_at_ = subscribing_since_ = steady_now();
  log::info("connected", {{"url", options_.socket.url}});
  auto requests = adapter_.subscribe(subscriptions_, next_request_id_);
  next_request_id_ += requests.size();
  to_send_.assign(std::make_move_iterator(requests.begin()), std::make_move_iterator(requests.end()));
  unanswered_.clear();
  requests_sent_ = false;
  subscribed_ = false;
  awaiting_pong_ = false;
  sink_.on_connected(std::exchange(was_connected_, true));
  send_next_request();
  schedule_ping();
  watch_idle();
}

bool Session::resubscribe(const venues::Subscription& subscription) {
  if (!open_ || to_send_.size() >= kWaitingMax) return false;
  auto requests = adapter_.resubscribe(subscription, next_request_id_);
  if (requests.empty()) return false;
  next_request_id_ += requests.size();
  forget_ids(requests);
  enqueue(std::move(requests));
  return true;
}

void Session::change(const SubscriptionChanges& changes, std::vector<venues::Subscription> all) {
  subscriptions_ = std::move(all);
  if (!open_ || stopping_) return;
  auto requests = adapter_.unsubscribe(changes.ended, next_request_id_);
  forget_ids(requests);
  next_request_id_ += requests.size();
  for (auto& request : adapter_.subscribe(changes.begun, next_request_id_)) {
    ++next_request_id_;
    requests.push_back(std::move(request));
  }
  requests_sent_ = subscribed_ = false;
  subscribing_since_ = steady_now();
  enqueue(std::move(requests));
}

void Session::enqueue(std::vector<venues::Request> requests) {
  const bool was_idle = to_send_.empty();
  for (auto& request : requests) to_send_.push_back(std::move(request));
  if (was_idle) send_next_request();
}

void Session::reconnect(const std::string& reason) {
  if (open_ && !stopping_ && !options_.no_retry) give_up_connection(reason);
}

void Session::send_next_request() {
  if (to_send_.empty()) return on_request_queue_empty();
  request_timer_.expires_after(pacer_.reserve());
  request_timer_.async_wait([this](const asio::error_code& ec) {
    if (ec || !open_) return;
    last_sent_ = to_send_.front();
    to_send_.pop_front();
    socket_->send(last_sent_.text);
    if (last_sent_.id) unanswered_.push_back(*last_sent_.id);
    send_next_request();
  });
}

void Session::on_request_queue_empty() {
  if (!std::exchange(requests_sent_, true)) sink_.on_requests_sent();
  check_subscribed();
}

void Session::check_subscribed() {
  if (subscribed_ || !to_send_.empty() || !unanswered_.empty()) return;
  subscribed_ = true;
  log::info("subscribed",
            {{"streams", subscriptions_.size()},
             {"ms", std::chrono::duration_cast<milliseconds>(steady_now() - subscribing_since_).count()}});
  sink_.on_subscribed();
}

void Session::on_text(std::string_view frame) {
  heard_ = true;
  const venues::FrameResult result = sink_.on_frame(frame);
  if (result.kind == venues::FrameKind::Events) return;
  if (result.reconnect) return give_up_connection("the exchange announced that it is about to close");
  if (result.kind == venues::FrameKind::Control || result.kind == venues::FrameKind::ApiError)
    on_answer(result);
}

void Session::on_answer(const venues::FrameResult& result) {
  if (result.rate_limited && !last_sent_.text.empty() && repeats_ < kRepeatsMax) {
    ++repeats_;
    to_send_.push_front(last_sent_);
    if (to_send_.size() == 1) send_next_request();
    return;
  }
  repeats_ = 0;
  if (!result.request_id) return;
  const auto answered = std::find(unanswered_.begin(), unanswered_.end(), *result.request_id);
  if (answered == unanswered_.end()) return;
  unanswered_.erase(answered);
  check_subscribed();
}

void Session::on_binary(std::string_view frame) {
  heard_ = true;
  sink_.on_binary_frame(frame);
}

void Session::on_too_large(std::size_t bytes) {
  heard_ = true;
  sink_.on_frame_too_large(bytes);
}

void Session::on_pong() {
  heard_ = true;
  awaiting_pong_ = false;
  pong_timer_.cancel();
}

void Session::schedule_ping() {
  if (options_.ping_interval.count() == 0) return;
  ping_timer_.expires_after(options_.ping_interval);
  ping_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec && open_) send_ping();
  });
}

void Session::send_ping() {
  socket_->ping();
  schedule_ping();
  if (awaiting_pong_) return;  // an earlier ping's time is running
  awaiting_pong_ = true;
  pong_timer_.expires_after(options_.pong_timeout);
  pong_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec && open_)
      give_up_connection(fmt::format("no pong within --pong-timeout {} ms", options_.pong_timeout.count()));
  });
}

void Session::watch_idle() {
  const milliseconds limit = adapter_.profile().idle_timeout;
  if (limit.count() == 0) return;
  heard_ = false;
  idle_timer_.expires_after(limit);
  idle_timer_.async_wait([this, limit](const asio::error_code& ec) {
    if (ec || !open_) return;
    if (!heard_)
      return give_up_connection(fmt::format("nothing heard for {} s, not even a ping", limit.count() / 1000));
    watch_idle();
  });
}

void Session::give_up_connection(const std::string& reason) {
  socket_->abort();
  on_closed(CloseInfo{open_, 0, reason, 0, {}});
}

void Session::on_closed(const CloseInfo& info) {
  for (auto* timer : {&connect_timer_, &request_timer_, &ping_timer_, &pong_timer_, &idle_timer_})
    timer->cancel();
  EndedConnection ended{milliseconds(0), info.http_status, {}};
  if (info.was_open) ended.open_for = std::chrono::duration_cast<milliseconds>(steady_now() - opened_at_);
  if (info.retry_after_seconds) ended.retry_after = std::chrono::seconds(*info.retry_after_seconds);
  open_ = false;
  sink_.on_disconnected(info.reason);
  if (stopping_) return sink_.on_stopped();
  if (!info.was_open) sink_.on_connection_failed();
  if (options_.no_retry) return sink_.on_gave_up(info.reason);
  const auto delay =
      reconnect_policy_.next_delay(ended, std::uniform_real_distribution<double>(0, 1)(random_));
  log::warn(info.was_open ? "connection lost" : "connection failed",
            {{"url", options_.socket.url},
             {"code", info.code},
             {"reason", printable_sample(info.reason)},
             {"lived_ms", ended.open_for.count()},
             {"retry_ms", delay.count()}});
  connect_timer_.expires_after(delay);
  connect_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec && !stopping_) connect();
  });
}

}  // namespace mdpipe::reader

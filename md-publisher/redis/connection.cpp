#include "md-publisher/redis/connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <asio/local/stream_protocol.hpp>
#include <utility>

namespace mdpipe::publisher {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kAddressesMax = 8;  // of one name; more would leave each too little time

std::string text_of(const asio::ip::tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return endpoint.address().is_v6() ? fmt::format("[{}]:{}", address, endpoint.port())
                                    : fmt::format("{}:{}", address, endpoint.port());
}

}  // namespace

Connection::Connection(asio::io_context& io, ConnectionSink& sink, const ConnectionOptions& options)
    : io_(io),
      sink_(sink),
      options_(options),
      resolver_(io),
      timer_(io),
      is_current_(std::make_shared<bool>(false)),
      buffer_(options.buffer_bytes) {}

Connection::~Connection() { close(); }

// --- making a connection

void Connection::open(const RedisAddress& to) {
  close();
  is_current_ = std::make_shared<bool>(true);
  to_ = to;
  addresses_.clear();
  address_texts_.clear();
  next_address_ = 0;
  failed_addresses_.clear();
  if (to_.unix_path.empty()) return resolve();
  addresses_.emplace_back(asio::local::stream_protocol::endpoint(to_.unix_path));
  address_texts_.push_back(to_.unix_path);
  try_addresses();
}

void Connection::resolve() {
  phase_ = Phase::Resolve;
  start_timer(options_.connect_max, connect_option());
  resolver_.async_resolve(to_.host, to_.port,
                          [this, current = is_current_](const auto& ec, const auto& found) {
                            if (!*current) return;
                            if (ec) return end(failure_of(state(), ec));
                            on_resolved(found);
                          });
}

void Connection::on_resolved(const asio::ip::tcp::resolver::results_type& found) {
  for (const auto& entry : found) {
    if (addresses_.size() == kAddressesMax) break;
    addresses_.emplace_back(entry.endpoint());
    address_texts_.push_back(text_of(entry.endpoint()));
  }
  try_addresses();
}

void Connection::try_addresses() {
  connect_deadline_ = std::chrono::steady_clock::now() + options_.connect_max;
  try_next_address();
}

// The time that is left is shared by the addresses that are left.
void Connection::try_next_address() {
  const auto left = std::chrono::ceil<milliseconds>(connect_deadline_ - std::chrono::steady_clock::now());
  const auto share = left / static_cast<milliseconds::rep>(addresses_.size() - next_address_);
  const Endpoint& address = addresses_[next_address_++];
  stream_ = ByteStream::make(io_, to_);
  phase_ = Phase::Connect;
  has_answered_ = is_broken_ = false;
  expected_bytes_ = 1;
  start_timer(std::max(share, milliseconds(1)), addresses_.size() == 1 ? connect_option() : "");
  stream_->connect(address,
                   [this](const std::error_code& ec) { ec ? fail(failure_of(state(), ec)) : secure(); });
}

void Connection::secure() {
  if (!to_.is_tls) return log_in();
  phase_ = Phase::Tls;
  stream_->secure([this](const std::error_code& ec) { ec ? fail(failure_of(state(), ec)) : log_in(); });
}

void Connection::log_in() {
  phase_ = Phase::Handshake;
  replies_.reset();
  handshake_.prepare(to_, options_.scope);
  const auto current = is_current_;
  if (handshake_.commands().empty()) {
    on_logged_in();
    if (*current) read_more();
    return;
  }
  stream_->write(handshake_.commands(), [](const std::error_code&) {});
  read_more();
}

void Connection::on_logged_in() {
  phase_ = Phase::Open;
  timer_.cancel();
  sink_.on_open();
}

// Moves on to the next address if the network or the server failed. An error of Redis or of TLS is an answer.
void Connection::fail(ConnectionFailure failure) {
  if (phase_ == Phase::Open || failure.error) return end(failure);
  failure.reason = failed_addresses_ + failure.reason;
  if (next_address_ >= addresses_.size()) return end(failure);
  failed_addresses_ = failure.reason + "; ";
  stream_->close();
  try_next_address();
}

void Connection::end(const ConnectionFailure& failure) {
  close();
  sink_.on_disconnect(failure);
}

void Connection::close() {
  *is_current_ = false;
  phase_ = Phase::Closed;
  timer_.cancel();
  resolver_.cancel();
  if (stream_) stream_->close();
  stream_.reset();
  replies_.reset();
}

// --- commands and replies

// The read that is always pending says why a connection ended: a server that refuses a client sends its
// reason and closes, and writing then fails before the reason is read.
void Connection::send(std::string_view commands) {
  stream_->write(commands, [this](const std::error_code& ec) {
    if (!ec) sink_.on_sent();
  });
}

void Connection::await_answer() { start_timer(options_.answer_max, options_.answer_option); }

void Connection::start_timer(milliseconds limit, std::string_view option) {
  timer_.expires_after(limit);
  timer_.async_wait([this, limit, option](const asio::error_code& ec) {
    if (!ec) fail(timeout_of(state(), limit, option));
  });
}

void Connection::read_more() {
  stream_->expect(expected_bytes_);
  stream_->read_some(buffer_.data(), buffer_.size(), [this](const std::error_code& ec, std::size_t bytes) {
    ec ? fail(failure_of(state(), ec)) : on_bytes(bytes);
  });
}

void Connection::on_bytes(std::size_t bytes) {
  const auto current = is_current_;
  replies_.feed({buffer_.data(), bytes});
  if (phase_ == Phase::Handshake && !read_handshake()) return;
  if (phase_ == Phase::Open) sink_.on_replies();
  if (!*current) return;  // a reply ended it
  if (is_broken_) return fail(no_redis(state(), {buffer_.data(), bytes}, replies_.error()));
  has_answered_ = true;
  read_more();
}

// False if the connection is not this one any more.
bool Connection::read_handshake() {
  const auto current = is_current_;
  while (const Reply* reply = next_reply()) {
    const auto next = handshake_.on_reply(*reply);
    if (next == Handshake::Next::More) continue;
    next == Handshake::Next::Done ? on_logged_in() : end(failure_of(state(), handshake_.error()));
    break;
  }
  return *current;
}

const Reply* Connection::next_reply() {
  if (phase_ == Phase::Closed) return nullptr;
  switch (replies_.next()) {
    case ReplyReader::Next::Reply:
      return &replies_.reply();
    case ReplyReader::Next::NeedMore:
      return nullptr;
    case ReplyReader::Next::Broken:
      break;
  }
  is_broken_ = true;
  return nullptr;
}

ConnectionState Connection::state() const {
  const std::string peer = next_address_ == 0 ? std::string() : address_texts_[next_address_ - 1];
  return {to_, peer, phase_, has_answered_};
}

}  // namespace mdpipe::publisher

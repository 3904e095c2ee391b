#include "md-publisher/redis_writer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "md-publisher/resp.hpp"

namespace mdpipe::publisher {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kReadBufferBytes = 64U << 10U;
constexpr milliseconds kDelayMin{50};

// The steps of the greeting, named for error messages.
constexpr const char* kAuth = "AUTH";
constexpr const char* kSelect = "SELECT";
constexpr const char* kSetName = "CLIENT SETNAME";
constexpr const char* kReadCursors = "HGETALL";

}  // namespace

RedisWriter::RedisWriter(asio::io_context& io, RedisOptions options, RedisEvents events)
    : io_(io),
      options_(std::move(options)),
      events_(std::move(events)),
      timeout_timer_(io),
      retry_timer_(io),
      random_(std::random_device{}()),
      read_buffer_(kReadBufferBytes) {}

void RedisWriter::stop() {
  stopped_ = true;
  timeout_timer_.cancel();
  retry_timer_.cancel();
  if (stream_) stream_->close();
  state_ = State::Down;
}

void RedisWriter::connect() {
  state_ = State::Connecting;
  stream_ = ByteStream::make(io_, options_.address);
  expect_answer_in_time();
  stream_->connect([this](const std::error_code& ec) {
    if (ec) return lose(fmt::format("cannot connect: {}", ec.message()));
    greet();
  });
}

void RedisWriter::greet() {
  state_ = State::Greeting;
  replies_.reset();
  greeting_.clear();
  greeting_steps_.clear();
  const RedisAddress& address = options_.address;
  if (!address.password.empty()) {
    if (address.user.empty()) {
      resp::append_command(greeting_, "AUTH", address.password);
    } else {
      resp::append_command(greeting_, "AUTH", address.user, address.password);
    }
    greeting_steps_.emplace_back(kAuth);
  }
  if (address.database != 0) {
    resp::append_command(greeting_, "SELECT", std::to_string(address.database));
    greeting_steps_.emplace_back(kSelect);
  }
  resp::append_command(greeting_, "CLIENT", "SETNAME", "md-publisher");
  greeting_steps_.emplace_back(kSetName);
  resp::append_command(greeting_, "HGETALL", options_.cursor_key);
  greeting_steps_.emplace_back(kReadCursors);
  std::reverse(greeting_steps_.begin(), greeting_steps_.end());
  expect_answer_in_time();
  stream_->write(greeting_, [this](const std::error_code& ec) {
    if (ec) lose(fmt::format("cannot write: {}", ec.message()));
  });
  read_more();
}

void RedisWriter::write(const Transaction& transaction) {
  in_flight_ = &transaction;
  replies_left_ = transaction.command_count();
  queue_error_.clear();
  expect_answer_in_time();
  stream_->write(transaction.commands(), [this](const std::error_code& ec) {
    if (ec) lose(fmt::format("cannot write: {}", ec.message()));
  });
}

void RedisWriter::read_more() {
  stream_->read_some(read_buffer_.data(), read_buffer_.size(),
                     [this](const std::error_code& ec, std::size_t bytes) {
                       if (ec) return lose(fmt::format("the connection ended: {}", ec.message()));
                       on_bytes(bytes);
                     });
}

void RedisWriter::on_bytes(std::size_t bytes) {
  const ByteStream* stream = stream_.get();
  replies_.feed({read_buffer_.data(), bytes});
  for (;;) {
    const auto next = replies_.next();
    if (next == ReplyReader::Next::NeedMore) return read_more();
    if (next == ReplyReader::Next::Broken)
      return lose(fmt::format("no Redis protocol: {}", replies_.error()));
    on_reply();
    if (stream != stream_.get() || state_ == State::Down) return;  // the reply ended the connection
  }
}

void RedisWriter::on_reply() {
  const Reply& reply = replies_.reply();
  if (state_ == State::Greeting) return on_greeting_reply(reply);
  if (in_flight_ == nullptr) return lose(fmt::format("an answer nobody asked for: {}", reply.text));
  on_transaction_reply(reply);
}

void RedisWriter::on_greeting_reply(const Reply& reply) {
  const std::string step = greeting_steps_.back();
  greeting_steps_.pop_back();
  if (reply.is_error()) {
    if (step == kSetName) return;  // an ACL may forbid it; only CLIENT LIST is poorer
    return lose(fmt::format("{} refused: {}", step, reply.text));
  }
  if (step != kReadCursors) return;
  Cursors cursors;
  for (std::size_t i = 0; i + 1 < reply.element_count; i += 2) {
    cursors.emplace_back(reply.elements[i].text, reply.elements[i + 1].text);
  }
  timeout_timer_.cancel();
  state_ = State::Ready;
  events_.on_ready(cursors);
}

void RedisWriter::on_transaction_reply(const Reply& reply) {
  if (--replies_left_ == 0) return on_exec(reply);
  if (reply.is_error() && queue_error_.empty()) queue_error_ = reply.text;
}

void RedisWriter::on_exec(const Reply& reply) {
  timeout_timer_.cancel();
  if (reply.type != Reply::Type::Array) {
    return lose(
        fmt::format("the transaction was refused: {}", queue_error_.empty() ? reply.text : queue_error_));
  }
  const Transaction& transaction = *std::exchange(in_flight_, nullptr);
  std::vector<RefusedEntry> refused;
  const auto& entries = transaction.entries();
  for (std::size_t i = 0; i < entries.size() && i < reply.element_count; ++i) {
    if (reply.elements[i].type == Reply::Type::Error)
      refused.push_back({&entries[i], reply.elements[i].text});
  }
  if (reply.element_count == entries.size() + 1 &&
      reply.elements[entries.size()].type == Reply::Type::Error) {
    in_flight_ = &transaction;
    return lose(fmt::format("the cursor cannot be written: {}", reply.elements[entries.size()].text));
  }
  failures_ = 0;  // not before: Redis may be reached and refuse every write
  events_.on_committed(transaction, refused);
}

void RedisWriter::expect_answer_in_time() {
  timeout_timer_.expires_after(options_.timeout);
  timeout_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec) lose(fmt::format("no answer within --redis-timeout {} ms", options_.timeout.count()));
  });
}

void RedisWriter::lose(const std::string& reason) {
  if (stopped_) return;
  stream_->close();
  state_ = State::Down;
  in_flight_ = nullptr;
  timeout_timer_.cancel();
  if (options_.no_retry) return events_.on_gave_up(reason);
  constexpr unsigned kDoublingsMax = 20;
  const milliseconds ceiling = std::min<milliseconds>(
      kDelayMin * (1LL << std::min(failures_++, kDoublingsMax)), options_.reconnect_delay_max);
  const milliseconds delay(
      std::uniform_int_distribution<milliseconds::rep>(ceiling.count() / 2, ceiling.count())(random_));
  retry_timer_.expires_after(delay);
  retry_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec && !stopped_) connect();
  });
  events_.on_lost(reason, delay);
}

}  // namespace mdpipe::publisher

#include "md-publisher/redis/sentinel.hpp"

#include <fmt/format.h>

#include <asio/error.hpp>
#include <chrono>
#include <utility>

#include "md-publisher/redis/resp.hpp"

namespace mdpipe::publisher {
namespace {

// A Sentinel does nothing else; one that takes longer is stuck or away.
constexpr auto kAnswerMax = std::chrono::seconds(1);

}  // namespace

Sentinel::Sentinel(asio::io_context& io, RedisAddress address)
    : io_(io), address_(std::move(address)), timer_(io) {}

void Sentinel::ask(Answered answered) {
  answered_ = std::move(answered);
  tried_ = 0;
  why_.clear();
  stream_ ? send() : connect();
}

void Sentinel::try_next() {
  drop_connection();
  at_ = (at_ + 1) % address_.sentinel.hosts.size();
}

void Sentinel::close() {
  drop_connection();
  answered_ = nullptr;
}

void Sentinel::connect() {
  RedisAddress to = address_;
  to.host = host().host;
  to.port = host().port;
  stream_ = ByteStream::make(io_, to);
  replies_.reset();
  expect_answer_in_time();
  stream_->connect([this](const std::error_code& ec) {
    if (ec) return fail(ec.message());
    read_more();
    send();
  });
}

void Sentinel::send() {
  const SentinelAddress& sentinel = address_.sentinel;
  question_.clear();
  logs_in_ = !sentinel.password.empty();
  if (logs_in_ && sentinel.user.empty()) {
    resp::append_command(question_, "AUTH", sentinel.password);
  } else if (logs_in_) {
    resp::append_command(question_, "AUTH", sentinel.user, sentinel.password);
  }
  resp::append_command(question_, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinel.service);
  expect_answer_in_time();
  stream_->write(question_, [this](const std::error_code& ec) {
    if (ec) fail(ec.message());
  });
}

void Sentinel::read_more() {
  stream_->read_some(buffer_.data(), buffer_.size(), [this](const std::error_code& ec, std::size_t bytes) {
    if (ec) return fail(ec.message());
    replies_.feed({buffer_.data(), bytes});
    const std::uint64_t connection = connection_;
    for (auto next = replies_.next(); next != ReplyReader::Next::NeedMore; next = replies_.next()) {
      if (next == ReplyReader::Next::Broken) return fail("it does not speak Redis's protocol");
      on_reply(replies_.reply());
      if (connection != connection_) return;
    }
    read_more();
  });
}

void Sentinel::on_reply(const Reply& reply) {
  if (answered_ == nullptr) return drop_connection();
  if (reply.is_error()) return fail(reply.text);
  if (std::exchange(logs_in_, false)) return;
  if (reply.type != Reply::Type::Array || reply.element_count != 2)
    return fail(fmt::format("it knows no service '{}'", address_.sentinel.service));
  finish(HostPort{reply.elements[0].text, reply.elements[1].text});
}

// On to the next; after the last the question is answered: by nobody. Without a question a connection that
// ends is only made anew for the next one.
void Sentinel::fail(const std::string& why) {
  why_ += fmt::format("{}{}:{}: {}", why_.empty() ? "" : "; ", host().host, host().port, why);
  try_next();
  if (answered_ == nullptr) return;
  if (++tried_ == address_.sentinel.hosts.size()) return finish(std::nullopt);
  connect();
}

void Sentinel::finish(const std::optional<HostPort>& master) {
  timer_.cancel();
  const Answered answered = std::exchange(answered_, nullptr);
  answered(master, why_);
}

void Sentinel::drop_connection() {
  ++connection_;
  timer_.cancel();
  if (stream_) stream_->close();
  stream_.reset();
}

void Sentinel::expect_answer_in_time() {
  timer_.expires_after(kAnswerMax);
  timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec) fail("no answer within a second");
  });
}

}  // namespace mdpipe::publisher

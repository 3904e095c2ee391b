#include "md-publisher/writer/cluster/cluster_node.hpp"

#include <fmt/format.h>

#include <asio/error.hpp>
#include <utility>

#include "md-publisher/redis/tls_failure.hpp"

namespace mdpipe::publisher {
namespace {

constexpr std::size_t kNodeBufferBytes = 16U << 10U;

}  // namespace

ClusterNode::ClusterNode(asio::io_context& io, RedisAddress address, std::chrono::milliseconds timeout,
                         std::function<void()> on_ended)
    : io_(io),
      address_(std::move(address)),
      timeout_(timeout),
      on_ended_(std::move(on_ended)),
      timer_(io),
      buffer_(kNodeBufferBytes) {}

void ClusterNode::ask(NodeClient& client, std::string_view commands, std::size_t answers) {
  waiting_ += commands;
  asked_.push_back({&client, answers});
  if (asked_.size() == 1) expect_answer_in_time();
  if (!stream_) connect();
  if (is_open_) flush();
}

void ClusterNode::connect() {
  stream_ = ByteStream::make(io_, address_);
  replies_.reset();
  stream_->connect([this](const std::error_code& ec) {
    if (ec) return fail(fmt::format("cannot connect to {}", address_.display()), ec);
    start_handshake();
  });
}

void ClusterNode::start_handshake() {
  is_greeting_ = true;
  handshake_.prepare(address_, {}, 0);
  stream_->write(handshake_.commands(), [this](const std::error_code& ec) {
    if (ec) fail("cannot write", ec);
  });
  read_more();
}

void ClusterNode::flush() {
  if (is_writing_ || waiting_.empty()) return;
  is_writing_ = true;
  writing_.swap(waiting_);
  waiting_.clear();
  stream_->write(writing_, [this](const std::error_code& ec) {
    if (ec) return fail("cannot write", ec);
    is_writing_ = false;
    flush();
  });
}

void ClusterNode::read_more() {
  stream_->read_some(buffer_.data(), buffer_.size(), [this](const std::error_code& ec, std::size_t bytes) {
    if (ec) return fail(fmt::format("the connection to {} ended", address_.display()), ec);
    replies_.feed({buffer_.data(), bytes});
    const std::uint64_t connection = connection_;
    for (auto next = replies_.next(); next != ReplyReader::Next::NeedMore; next = replies_.next()) {
      if (next == ReplyReader::Next::Broken) return close("no Redis protocol");
      on_reply(replies_.reply());
      if (connection != connection_) return;
    }
    read_more();
  });
}

void ClusterNode::on_reply(const Reply& reply) {
  if (is_greeting_) {
    const auto next = handshake_.on_reply(reply);
    if (next == Handshake::Next::Failed)
      return close(fmt::format("{}: {}", address_.display(), handshake_.error().text), handshake_.error());
    if (next == Handshake::Next::More) return;
    is_greeting_ = false;
    is_open_ = true;
    return flush();
  }
  if (asked_.empty()) return close("an answer nobody asked for");
  NodeClient& client = *asked_.front().client;
  if (--asked_.front().answers == 0) asked_.pop_front();
  asked_.empty() ? static_cast<void>(timer_.cancel()) : expect_answer_in_time();
  client.on_reply(reply);
}

void ClusterNode::fail(std::string_view what, const std::error_code& ec) {
  const std::string why = fmt::format("{}: {}", what, ec.message());
  if (ec.category() != tls_category()) return close(why);
  const std::string& host = address_.tls.server_name.empty() ? address_.host : address_.tls.server_name;
  close(why, RedisError{RedisErrorKind::Tls, ec.message(), "TLS", {}, tls_remedy(ec, host)});
}

void ClusterNode::close(const std::string& why, const std::optional<RedisError>& error) {
  stop();
  on_ended_();
  for (const Asked& asked : std::exchange(asked_, {})) asked.client->on_node_lost(why, error);
}

void ClusterNode::stop() {
  ++connection_;
  timer_.cancel();
  if (stream_) stream_->close();
  stream_.reset();
  is_greeting_ = is_open_ = is_writing_ = false;
  waiting_.clear();
  writing_.clear();
}

void ClusterNode::expect_answer_in_time() {
  timer_.expires_after(timeout_);
  timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec)
      close(
          fmt::format("no answer of {} within --redis-timeout {} ms", address_.display(), timeout_.count()));
  });
}

}  // namespace mdpipe::publisher

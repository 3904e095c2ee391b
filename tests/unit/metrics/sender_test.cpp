// MetricsSender against a real SUB socket on an ipc path, as metrics-agent binds it.
#include "libshared/metrics/sender.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <cstdlib>
#include <filesystem>
#include <optional>

namespace mdpipe::metrics {
namespace {

using namespace std::chrono_literals;

class SenderTest : public testing::Test {
 protected:
  SenderTest() : collector_({"ws-reader", "gmo", "gmo"}) {
    char name[] = "/tmp/mdpipe-sender-XXXXXX";
    folder_ = mkdtemp(name);
    sender_.emplace(io_, context_, collector_, endpoint(), nullptr);
    sender_->start();
  }
  ~SenderTest() override { std::filesystem::remove_all(folder_); }

  std::string endpoint() const { return "ipc://" + folder_ + "/metrics"; }

  void bind_agent() {
    agent_.emplace(context_, zmq::socket_type::sub);
    agent_->set(zmq::sockopt::subscribe, "");
    agent_->set(zmq::sockopt::linger, 0);
    agent_->bind(endpoint());
  }

  // Runs the sender's loop until a message arrives.
  std::optional<Delta> next_message(std::chrono::milliseconds deadline) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    zmq::message_t message;
    while (std::chrono::steady_clock::now() < end) {
      io_.run_for(5ms);
      if (!agent_->recv(message, zmq::recv_flags::dontwait)) continue;
      auto delta = decode_delta(transport::view(message));
      EXPECT_TRUE(delta);
      delta.value().series.take_over();  // the message goes
      return delta.value();
    }
    return std::nullopt;
  }

  std::string folder_;
  zmq::context_t context_;
  asio::io_context io_;
  MetricsCollector collector_;
  std::optional<zmq::socket_t> agent_;
  std::optional<MetricsSender> sender_;
};

TEST_F(SenderTest, an_agent_that_comes_gets_a_full_message_at_once) {
  bind_agent();
  const auto first = next_message(5s);
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->full);
  EXPECT_FALSE(first->gauges.empty());  // the process's own usage
}

// Goal: an agent that restarts needs the names again. Its subscription is not new to the sender's socket,
// whose pipe outlives the peer, so the socket must pass repeated subscriptions on.
TEST_F(SenderTest, a_restarted_agent_gets_a_full_message_too) {
  bind_agent();
  ASSERT_TRUE(next_message(5s));
  agent_->close();
  io_.run_for(100ms);
  bind_agent();
  std::optional<Delta> delta = next_message(5s);
  // Messages queued while no subscriber listened may come first; a full message is due long before the tenth
  // second.
  const auto end = std::chrono::steady_clock::now() + 5s;
  while (delta && !delta->full && std::chrono::steady_clock::now() < end) delta = next_message(5s);
  ASSERT_TRUE(delta);
  EXPECT_TRUE(delta->full);
}

TEST_F(SenderTest, the_last_message_says_goodbye) {
  bind_agent();
  ASSERT_TRUE(next_message(5s));
  sender_->stop();
  std::optional<Delta> delta = next_message(5s);
  while (delta && !delta->last) delta = next_message(5s);
  ASSERT_TRUE(delta);
  EXPECT_TRUE(delta->full);
}

}  // namespace
}  // namespace mdpipe::metrics

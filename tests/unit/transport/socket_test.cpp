#include "libshared/transport/socket.hpp"

#include <gmock/gmock.h>
#include <sys/time.h>

#include <asio/steady_timer.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "libshared/process/exit_code.hpp"

namespace mdpipe::transport {
namespace {

constexpr auto kDeadline = std::chrono::seconds(20);

class SocketTest : public testing::Test {
 protected:
  SocketTest() : deadline_(io_) {
    char name[] = "/tmp/mdpipe-socket-XXXXXX";
    folder_ = mkdtemp(name);
    deadline_.expires_after(kDeadline);
    deadline_.async_wait([this](const asio::error_code& ec) {
      if (!ec) io_.stop();
    });
  }
  ~SocketTest() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string endpoint() const { return "ipc://" + folder_ + "/s"; }

  asio::io_context io_;
  zmq::context_t zmq_;
  asio::steady_timer deadline_;
  std::string folder_;
};

// SIGTERM may come at any moment, also inside of a call into ZeroMQ.
TEST_F(SocketTest, a_signal_in_a_call_is_no_error) {
  struct sigaction count {};
  static volatile std::sig_atomic_t signals = 0;
  count.sa_handler = [](int) { signals = signals + 1; };  // without SA_RESTART
  ASSERT_EQ(sigaction(SIGALRM, &count, nullptr), 0);
  const itimerval often{{0, 50}, {0, 50}};
  Socket pull(io_, zmq_, zmq::socket_type::pull, {50, 1 << 20});
  pull.bind(endpoint());
  zmq::message_t message;
  ASSERT_EQ(setitimer(ITIMER_REAL, &often, nullptr), 0);
  for (int i = 0; signals < 2000 && i < 50'000'000; ++i) EXPECT_FALSE(pull.receive(message));
  const itimerval never{};
  ASSERT_EQ(setitimer(ITIMER_REAL, &never, nullptr), 0);
  EXPECT_GE(signals, 2000);
}

// A publisher without Redis reads nothing from its socket during the outage, and its loop must not spin
// meanwhile.
TEST_F(SocketTest, a_handler_that_takes_nothing_is_left_alone_until_rearmed) {
  Socket pull(io_, zmq_, zmq::socket_type::pull, {50, 1 << 20});
  Socket push(io_, zmq_, zmq::socket_type::push, {50, 1 << 20});
  pull.bind(endpoint());
  push.connect(endpoint());
  int calls = 0;
  bool wanted = false;
  pull.on_ready([&] {
    ++calls;
    zmq::message_t message;
    if (wanted && pull.receive(message)) io_.stop();
    return false;
  });
  ASSERT_TRUE(push.send("waits"));
  asio::steady_timer later(io_);
  int calls_before = 0;
  later.expires_after(std::chrono::milliseconds(300));
  later.async_wait([&](const asio::error_code&) {
    calls_before = calls;
    wanted = true;
    pull.rearm();
  });
  io_.run();
  EXPECT_TRUE(wanted);
  EXPECT_LT(calls_before,
            100);  // a few for the connection and the message; a loop that turns makes thousands
}

// The receiver handles at most `kPerTurn` messages a turn, and the sender has to wait for room repeatedly: no
// message may stay in the queue because of a missed wake-up.
TEST_F(SocketTest, every_message_arrives_in_order_in_one_loop) {
  constexpr int kMessages = 10'000;
  constexpr int kPerTurn = 7;
  Socket pull(io_, zmq_, zmq::socket_type::pull, {50, 1 << 20});
  Socket push(io_, zmq_, zmq::socket_type::push, {50, 1 << 20});
  pull.bind(endpoint());
  push.connect(endpoint());
  int received = 0;
  pull.on_ready([&] {
    zmq::message_t message;
    for (int i = 0; i < kPerTurn; ++i) {
      if (!pull.receive(message)) return false;
      EXPECT_EQ(view(message), std::to_string(received));
      if (++received == kMessages) io_.stop();
    }
    return true;
  });
  int sent = 0;
  asio::steady_timer again(io_);
  std::function<void()> send = [&] {
    while (sent < kMessages && push.send(std::to_string(sent))) ++sent;
    if (sent == kMessages) return;
    again.expires_after(std::chrono::milliseconds(1));
    again.async_wait([&](const asio::error_code& ec) {
      if (!ec) send();
    });
  };
  send();
  io_.run();
  EXPECT_EQ(received, kMessages);
}

TEST_F(SocketTest, messages_that_wait_are_found_after_rearm) {
  Socket pull(io_, zmq_, zmq::socket_type::pull);
  Socket push(io_, zmq_, zmq::socket_type::push);
  pull.bind(endpoint());
  push.connect(endpoint());
  bool paused = true;
  int looks = 0;
  int received = 0;
  pull.on_ready([&] {
    ++looks;
    if (paused) return false;
    zmq::message_t message;
    while (pull.receive(message)) ++received;
    if (received == 3) io_.stop();
    return false;
  });
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(push.send("x"));
  asio::steady_timer later(io_);
  later.expires_after(std::chrono::milliseconds(100));
  later.async_wait([&](const asio::error_code&) {
    paused = false;
    pull.rearm();
  });
  io_.run();
  EXPECT_EQ(received, 3);
  EXPECT_GT(looks, 1);
}

TEST_F(SocketTest, parts_of_a_message_stay_together) {
  Socket pull(io_, zmq_, zmq::socket_type::pull);
  Socket push(io_, zmq_, zmq::socket_type::push);
  pull.bind(endpoint());
  push.connect(endpoint());
  ASSERT_TRUE(push.send("head", zmq::send_flags::sndmore));
  ASSERT_TRUE(push.send("body"));
  std::vector<std::string> parts;
  pull.on_ready([&] {
    zmq::message_t message;
    while (pull.receive(message)) parts.emplace_back(view(message));
    if (parts.size() == 2) io_.stop();
    return false;
  });
  io_.run();
  EXPECT_EQ(parts, (std::vector<std::string>{"head", "body"}));
}

TEST_F(SocketTest, sending_to_nobody_is_no_error) {
  Socket push(io_, zmq_, zmq::socket_type::push);
  push.raw().set(zmq::sockopt::immediate, true);
  push.connect(endpoint());
  EXPECT_FALSE(push.send("x"));
}

std::string bind_error(Socket& socket, const std::string& endpoint, ErrorKind kind) {
  try {
    socket.bind(endpoint);
  } catch (const process::StartupError& startup) {
    EXPECT_EQ(startup.error.kind, kind);
    return startup.error.message;
  }
  return "bound";
}

TEST_F(SocketTest, a_second_bind_is_refused_by_name) {
  Socket first(io_, zmq_, zmq::socket_type::pull);
  Socket second(io_, zmq_, zmq::socket_type::pull);
  first.bind(endpoint());
  EXPECT_THAT(bind_error(second, endpoint(), ErrorKind::Unavailable), testing::HasSubstr("/s.lock"));
}

TEST_F(SocketTest, a_tcp_port_that_is_taken_is_named) {
  Socket first(io_, zmq_, zmq::socket_type::pull);
  Socket second(io_, zmq_, zmq::socket_type::pull);
  first.bind("tcp://127.0.0.1:0");
  EXPECT_THAT(bind_error(second, first.last_endpoint(), ErrorKind::Unavailable),
              testing::HasSubstr(first.last_endpoint()));
}

TEST_F(SocketTest, an_endpoint_may_be_bound_again_after_its_holder_is_gone) {
  { Socket(io_, zmq_, zmq::socket_type::pull).bind(endpoint()); }
  Socket again(io_, zmq_, zmq::socket_type::pull);
  EXPECT_EQ(bind_error(again, endpoint(), ErrorKind::Internal), "bound");
}

}  // namespace
}  // namespace mdpipe::transport

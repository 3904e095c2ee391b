#include "metrics-agent/forward/statsd/datagram_socket.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <asio/io_context.hpp>
#include <filesystem>
#include <optional>

namespace mdpipe::agent {
namespace {

using asio::ip::udp;
using Outcome = DatagramSocket::Outcome;

TEST(DatagramSocketTest, a_closed_port_refuses_with_the_beginning_of_the_datagram) {
  asio::io_context io;
  std::optional<udp::socket> receiver;
  receiver.emplace(io, udp::endpoint(asio::ip::address_v4::loopback(), 0));
  const udp::endpoint place = receiver->local_endpoint();
  DatagramSocket socket;
  ASSERT_TRUE(socket.open(place));
  EXPECT_EQ(socket.send("first"), Outcome::Accepted);
  EXPECT_TRUE(socket.read_refused().empty());
  receiver.reset();
  const std::string second = "second" + std::string(1400, 'x');
  EXPECT_EQ(socket.send(second), Outcome::Accepted);  // the kernel takes it before it hears of the refusal
  const auto refused = socket.read_refused();
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_GT(refused[0].size(), 400U);
  EXPECT_EQ(second.substr(0, refused[0].size()), refused[0]);
  EXPECT_TRUE(socket.read_refused().empty());
}

TEST(DatagramSocketTest, an_unheard_refusal_is_reported_by_the_next_send_which_sends_nothing) {
  asio::io_context io;
  std::optional<udp::socket> receiver;
  receiver.emplace(io, udp::endpoint(asio::ip::address_v4::loopback(), 0));
  const udp::endpoint place = receiver->local_endpoint();
  receiver.reset();
  DatagramSocket socket;
  ASSERT_TRUE(socket.open(place));
  EXPECT_EQ(socket.send("first"), Outcome::Accepted);
  EXPECT_EQ(socket.send("second"), Outcome::Refused);
  EXPECT_EQ(socket.read_refused(), std::vector<std::string>{"first"});
}

class UnixDatagramTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "mdpipe-datagram-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = folder_ + "/socket";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  int bind_receiver() const {
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(path_.begin(), path_.end(), address.sun_path);
    EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  std::string folder_, path_;
};

TEST_F(UnixDatagramTest, nobody_there_is_known_at_once) {
  DatagramSocket socket;
  EXPECT_FALSE(socket.open(path_));
  EXPECT_EQ(socket.error(), ENOENT);
  const int receiver = bind_receiver();
  ASSERT_TRUE(socket.open(path_));
  EXPECT_EQ(socket.send("first"), Outcome::Accepted);
  close(receiver);
  EXPECT_EQ(socket.send("second"), Outcome::Refused);
  EXPECT_FALSE(socket.open(path_));
  EXPECT_EQ(socket.error(), ECONNREFUSED);
}

TEST_F(UnixDatagramTest, a_full_queue_is_no_error_and_not_waited_for) {
  const int receiver = bind_receiver();
  DatagramSocket socket;
  ASSERT_TRUE(socket.open(path_));
  Outcome outcome = Outcome::Accepted;
  for (int i = 0; i < 100'000 && outcome == Outcome::Accepted; ++i) outcome = socket.send("datagram");
  EXPECT_EQ(outcome, Outcome::QueueFull);
  std::string buffer(100, '\0');
  EXPECT_EQ(recv(receiver, buffer.data(), buffer.size(), 0), 8);
  EXPECT_EQ(socket.send("datagram"), Outcome::Accepted);
  close(receiver);
}

}  // namespace
}  // namespace mdpipe::agent

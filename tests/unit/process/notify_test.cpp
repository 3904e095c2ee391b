#include "libshared/process/notify.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace mdpipe::process {
namespace {

// systemd's end of the protocol: a datagram socket.
class NotifierTest : public testing::Test {
 protected:
  void listen(const std::string& address) {
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un bound{};
    bound.sun_family = AF_UNIX;
    std::memcpy(bound.sun_path, address.data(), address.size());
    if (bound.sun_path[0] == '@') bound.sun_path[0] = '\0';
    const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
    ASSERT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&bound), bytes), 0) << std::strerror(errno);
    setenv("NOTIFY_SOCKET", address.c_str(), 1);
  }
  ~NotifierTest() override {
    for (const auto* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(name);
    if (fd_ >= 0) close(fd_);
  }
  std::string received() const {
    std::array<char, 500> buffer{};
    const ssize_t bytes = recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    return bytes < 0 ? "nothing" : std::string(buffer.data(), static_cast<std::size_t>(bytes));
  }
  int fd_ = -1;
};

TEST_F(NotifierTest, tells_systemd_each_thing) {
  listen("@mdpipe-notify-" + std::to_string(getpid()));
  Notifier notifier;
  notifier.ready("subscribed");
  notifier.status("slow");
  notifier.watchdog();
  notifier.stopping("draining");
  EXPECT_EQ(received(), "READY=1\nSTATUS=subscribed");
  EXPECT_EQ(received(), "STATUS=slow");
  EXPECT_EQ(received(), "WATCHDOG=1");
  EXPECT_EQ(received(), "STOPPING=1\nSTATUS=draining");
}

TEST_F(NotifierTest, says_ready_once) {
  listen("@mdpipe-notify-" + std::to_string(getpid()));
  Notifier notifier;
  notifier.ready("first");
  notifier.ready("again");
  EXPECT_EQ(received(), "READY=1\nSTATUS=first");
  EXPECT_EQ(received(), "STATUS=again");
}

TEST_F(NotifierTest, knows_sockets_in_the_file_system) {
  char name[] = "/tmp/mdpipe-notify-XXXXXX";
  const std::string folder = mkdtemp(name);
  listen(folder + "/socket");
  Notifier().status("here");
  EXPECT_EQ(received(), "STATUS=here");
  std::filesystem::remove_all(folder);
}

TEST_F(NotifierTest, is_silent_without_systemd) {
  Notifier notifier;
  notifier.ready("x");
  EXPECT_EQ(notifier.watchdog_interval(), std::nullopt);
}

TEST_F(NotifierTest, a_socket_nobody_reads_blocks_nothing) {
  listen("@mdpipe-notify-" + std::to_string(getpid()));
  Notifier notifier;
  for (int i = 0; i < 10'000; ++i) notifier.watchdog();
  EXPECT_EQ(received(), "WATCHDOG=1");
}

TEST_F(NotifierTest, feeds_the_watchdog_at_half_its_time) {
  listen("@mdpipe-notify-" + std::to_string(getpid()));
  setenv("WATCHDOG_USEC", "30000000", 1);
  EXPECT_EQ(Notifier().watchdog_interval(), std::chrono::seconds(15));
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  EXPECT_EQ(Notifier().watchdog_interval(), std::chrono::seconds(15));
  setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(Notifier().watchdog_interval(), std::nullopt);
}

}  // namespace
}  // namespace mdpipe::process

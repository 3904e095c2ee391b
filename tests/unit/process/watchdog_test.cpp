#include "libshared/process/watchdog.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string>

namespace mdpipe::process {
namespace {

class WatchdogTest : public testing::Test {
 protected:
  WatchdogTest() {
    const std::string address = "@mdpipe-watchdog-" + std::to_string(getpid());
    sockaddr_un bound{};
    bound.sun_family = AF_UNIX;
    std::memcpy(bound.sun_path, address.data(), address.size());
    bound.sun_path[0] = '\0';
    const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&bound), bytes), 0) << std::strerror(errno);
    setenv("NOTIFY_SOCKET", address.c_str(), 1);
  }
  ~WatchdogTest() override {
    for (const auto* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC"}) unsetenv(name);
    close(fd_);
  }
  int messages() const {
    int count = 0;
    std::array<char, 100> buffer{};
    while (recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT) > 0) ++count;
    return count;
  }
  int fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
};

TEST_F(WatchdogTest, is_fed_at_the_start_and_again_from_the_loop) {
  setenv("WATCHDOG_USEC", "4000", 1);  // half of it is 2 ms
  asio::io_context io;
  Notifier notifier;
  Watchdog watchdog(io, notifier);
  watchdog.start();
  EXPECT_EQ(messages(), 1);
  io.run_one();
  io.run_one();
  EXPECT_EQ(messages(), 2);
}

TEST_F(WatchdogTest, leaves_the_loop_without_work_if_systemd_wants_none) {
  asio::io_context io;
  Notifier notifier;
  Watchdog watchdog(io, notifier);
  watchdog.start();
  EXPECT_EQ(io.run(), 0U);
  EXPECT_EQ(messages(), 0);
}

}  // namespace
}  // namespace mdpipe::process

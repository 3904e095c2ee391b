#include "libshared/process/notify.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace mdpipe::process {

Notifier::Notifier() {
  // NOLINTBEGIN(concurrency-mt-unsafe): read at start, before any thread
  const char* address = std::getenv("NOTIFY_SOCKET");
  const char* watchdog_usec = std::getenv("WATCHDOG_USEC");
  const char* watchdog_pid = std::getenv("WATCHDOG_PID");
  // NOLINTEND(concurrency-mt-unsafe)
  if (address == nullptr || std::strlen(address) >= sizeof(sockaddr_un::sun_path)) return;
  address_ = address;
  fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const bool for_us = watchdog_pid == nullptr || std::atol(watchdog_pid) == static_cast<long>(getpid());
  if (watchdog_usec != nullptr && for_us) {
    const long usec = std::atol(watchdog_usec);
    if (usec > 0) watchdog_interval_ = std::chrono::milliseconds(usec / 2000);
  }
}

Notifier::~Notifier() {
  if (fd_ >= 0) close(fd_);
}

void Notifier::ready(std::string_view status_text) {
  if (ready_sent_) return status(status_text);
  ready_sent_ = true;
  send(fmt::format("READY=1\nSTATUS={}", status_text));
}

void Notifier::status(std::string_view status_text) { send(fmt::format("STATUS={}", status_text)); }

void Notifier::watchdog() { send("WATCHDOG=1"); }

void Notifier::stopping(std::string_view status_text) {
  send(fmt::format("STOPPING=1\nSTATUS={}", status_text));
}

void Notifier::send(const std::string& message) const {
  if (fd_ < 0) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, address_.data(), address_.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // the abstract namespace
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  // If a notice is lost, the next one repeats it. There is no way to report the error.
  (void)sendto(fd_, message.data(), message.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
               bytes);
}

}  // namespace mdpipe::process

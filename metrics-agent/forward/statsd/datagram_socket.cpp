#include "metrics-agent/forward/statsd/datagram_socket.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace mdpipe::agent {
namespace {

constexpr int kRefusalsMax = 1000;             // read at a time
constexpr std::size_t kRefusedBytesMax = 600;  // ICMP carries at most 576 with its headers

DatagramSocket::Outcome outcome_of(int error) {
  switch (error) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
      return DatagramSocket::Outcome::QueueFull;
    case ECONNREFUSED:
    case ECONNRESET:
    case ENOTCONN:
    case EPIPE:
    case ENOENT:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return DatagramSocket::Outcome::Refused;
    default:
      return DatagramSocket::Outcome::Failed;
  }
}

}  // namespace

bool DatagramSocket::open(const asio::ip::udp::endpoint& endpoint) {
  is_udp_ = true;
  return open(endpoint.protocol().family(), endpoint.data(), static_cast<unsigned>(endpoint.size()));
}

bool DatagramSocket::open(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  is_udp_ = false;
  return open(AF_UNIX, &address, sizeof address);
}

bool DatagramSocket::open(int family, const void* address, unsigned length) {
  close();
  fd_ = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return fail(errno);
  if (connect(fd_, static_cast<const sockaddr*>(address), length) != 0) return fail(errno);
  // The kernel then queues each refusal with its datagram, ip(7).
  const int on = 1;
  if (family == AF_INET) setsockopt(fd_, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
  if (family == AF_INET6) setsockopt(fd_, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
  return true;
}

void DatagramSocket::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool DatagramSocket::fail(int error) {
  close();
  error_ = error;
  return false;
}

DatagramSocket::Outcome DatagramSocket::send(std::string_view datagram) {
  ssize_t sent = 0;
  do {
    sent = ::send(fd_, datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return Outcome::Accepted;
  error_ = errno;
  return outcome_of(error_);
}

std::vector<std::string> DatagramSocket::read_refused() {
  std::vector<std::string> out;
  if (!is_udp_ || fd_ < 0) return out;
  for (int i = 0; i < kRefusalsMax; ++i) {
    std::array<char, kRefusedBytesMax> beginning{};
    std::array<char, 512> control{};  // the sender and reason of the refusal; errno has the reason too
    iovec part{beginning.data(), beginning.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t length = recvmsg(fd_, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
    if (length < 0) break;
    error_ = ECONNREFUSED;
    out.emplace_back(beginning.data(), static_cast<std::size_t>(length));
  }
  return out;
}

}  // namespace mdpipe::agent

#pragma once
// A connected datagram socket, UDP or Unix, that never waits and knows what became of what it sent, as far as
// the kernel is told: an unbound UDP port answers after the send, with the beginning of the datagram it
// refused. Decides nothing.
#include <asio/ip/udp.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace mdpipe::agent {

class DatagramSocket {
 public:
  enum class Outcome { Taken, QueueFull, Refused, Failed };

  DatagramSocket() = default;
  ~DatagramSocket() { close(); }
  DatagramSocket(const DatagramSocket&) = delete;
  DatagramSocket& operator=(const DatagramSocket&) = delete;

  // Anew, where it was open. False with the reason in error().
  bool open(const asio::ip::udp::endpoint& endpoint);
  bool open(const std::string& path);
  void close();

  // Anything but Taken means that this datagram was not sent.
  Outcome send(std::string_view datagram);

  // The beginnings, of up to about 500 bytes, of datagrams that were sent before and refused. Empty ones
  // where a router told no more than that.
  std::vector<std::string> take_refused();

  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  // errno of what failed last.
  [[nodiscard]] int error() const { return error_; }

 private:
  bool open(int family, const void* address, unsigned length);
  bool fail(int error);

  int fd_ = -1;
  int error_ = 0;
  bool is_udp_ = false;
};

}  // namespace mdpipe::agent

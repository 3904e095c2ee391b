#pragma once
// A connected datagram socket, UDP or Unix, that never blocks. It also returns the datagrams that were
// refused later, as far as the kernel knows them: a closed UDP port answers after the send, with the
// beginning of the refused datagram. Decides nothing.
#include <asio/ip/udp.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace mdpipe::agent {

class DatagramSocket {
 public:
  enum class Outcome { Accepted, QueueFull, Refused, Failed };

  DatagramSocket() = default;
  ~DatagramSocket() { close(); }
  DatagramSocket(const DatagramSocket&) = delete;
  DatagramSocket& operator=(const DatagramSocket&) = delete;

  // Closes the socket first if it is open. False with the reason in error().
  bool open(const asio::ip::udp::endpoint& endpoint);
  bool open(const std::string& path);
  void close();

  // All outcomes except Accepted mean that this datagram was not sent.
  Outcome send(std::string_view datagram);

  // The beginnings (up to about 500 bytes) of datagrams that were sent before and refused; an empty text if a
  // router did not return any of it.
  std::vector<std::string> read_refused();

  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  // errno of the last failure.
  [[nodiscard]] int error() const { return error_; }

 private:
  bool open(int family, const void* address, unsigned length);
  bool fail(int error);

  int fd_ = -1;
  int error_ = 0;
  bool is_udp_ = false;
};

}  // namespace mdpipe::agent

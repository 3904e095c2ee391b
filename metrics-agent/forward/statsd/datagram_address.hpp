#pragma once
// The destination of datagrams as an option names it: a UDP port or a Unix socket. Pure.
#include <cstdint>
#include <string>
#include <string_view>

#include "libshared/result/result.hpp"

namespace mdpipe::agent {

struct DatagramAddress {
  std::string host;  // of UDP: a name or an address
  std::uint16_t port = 0;
  std::string path;  // of a Unix socket; empty for UDP

  [[nodiscard]] bool is_unix() const { return !path.empty(); }
};

// "udp://HOST:PORT", "udp://[::1]:8125" or "unix:///PATH". `option` is named in the error.
Result<DatagramAddress> parse_datagram_address(std::string_view option, std::string_view text);

}  // namespace mdpipe::agent

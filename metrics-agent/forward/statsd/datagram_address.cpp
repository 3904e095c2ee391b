#include "metrics-agent/forward/statsd/datagram_address.hpp"

#include <fmt/format.h>
#include <sys/un.h>

#include <charconv>
#include <optional>
#include <utility>

namespace mdpipe::agent {
namespace {

constexpr std::string_view kUdp = "udp://";
constexpr std::string_view kUnix = "unix://";
constexpr std::size_t kPathBytesMax = sizeof(sockaddr_un::sun_path) - 1;

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

// An IPv6 address is in brackets, as in a URL.
std::optional<DatagramAddress> parse_udp(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const auto port = parse_port(text.substr(colon + 1));
  std::string_view host = text.substr(0, colon);
  const bool is_bracketed = host.front() == '[' && host.back() == ']';
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  const bool has_colon = host.find(':') != std::string_view::npos;
  const bool has_other = host.find_first_of("/[]@ ") != std::string_view::npos;
  if (!port || host.empty() || has_colon != is_bracketed || has_other) return std::nullopt;
  return DatagramAddress{std::string(host), *port, {}};
}

std::optional<DatagramAddress> parse_unix(std::string_view path) {
  if (path.size() < 2 || path.front() != '/' || path.size() > kPathBytesMax) return std::nullopt;
  return DatagramAddress{{}, 0, std::string(path)};
}

std::optional<DatagramAddress> parse(std::string_view text) {
  if (text.substr(0, kUdp.size()) == kUdp) return parse_udp(text.substr(kUdp.size()));
  if (text.substr(0, kUnix.size()) == kUnix) return parse_unix(text.substr(kUnix.size()));
  return std::nullopt;
}

}  // namespace

Result<DatagramAddress> parse_datagram_address(std::string_view option, std::string_view text) {
  if (auto address = parse(text)) return *std::move(address);
  return Error{ErrorKind::BadConfig,
               fmt::format("--{} '{}': expected udp://HOST:PORT such as udp://127.0.0.1:8125, or "
                           "unix:///PATH of at most {} bytes",
                           option, text, kPathBytesMax)};
}

}  // namespace mdpipe::agent

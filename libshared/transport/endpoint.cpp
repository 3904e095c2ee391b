#include "libshared/transport/endpoint.hpp"

#include <fmt/format.h>
#include <sys/un.h>

#include <asio/ip/address.hpp>
#include <charconv>
#include <filesystem>

#include "libshared/text/ascii.hpp"

namespace mdpipe::transport {
namespace {

constexpr std::string_view kIpc = "ipc://";
constexpr std::string_view kTcp = "tcp://";

Error bad(std::string_view option, std::string_view endpoint, std::string_view why) {
  return Error{
      ErrorKind::BadConfig,
      fmt::format("--{} '{}': {}; expected ipc:///path/of/socket or tcp://host:port", option, endpoint, why)};
}

bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
  return ec == std::errc() && end == text.data() + text.size() && port <= 65535;
}

}  // namespace

std::string ipc_endpoint(std::string_view runtime_dir, std::string_view name) {
  return fmt::format("{}{}/{}", kIpc, runtime_dir, name);
}

bool is_tcp(std::string_view endpoint) { return ascii::starts_with(endpoint, kTcp); }

bool is_loopback(std::string_view endpoint) {
  if (!is_tcp(endpoint)) return false;
  std::string host(endpoint.substr(kTcp.size(), endpoint.rfind(':') - kTcp.size()));
  if (host == "localhost") return true;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  asio::error_code ec;
  const auto address = asio::ip::make_address(host, ec);
  return !ec && address.is_loopback();
}

Result<bool> check_endpoint(std::string_view option, std::string_view endpoint) {
  if (ascii::starts_with(endpoint, kIpc)) {
    const std::string_view path = endpoint.substr(kIpc.size());
    constexpr std::size_t kPathMax = sizeof(sockaddr_un::sun_path) - 1;
    if (path.empty() || path.front() != '/') return bad(option, endpoint, "the path is not absolute");
    if (path.size() > kPathMax) {
      return bad(option, endpoint,
                 fmt::format("the path has {} characters, a socket's may have {}", path.size(), kPathMax));
    }
    return true;
  }
  if (ascii::starts_with(endpoint, kTcp)) {
    const std::size_t colon = endpoint.rfind(':');
    if (colon <= kTcp.size() || !is_port(endpoint.substr(colon + 1)))
      return bad(option, endpoint, "host or port is missing");
    return true;
  }
  return bad(option, endpoint, "unknown transport");
}

Result<std::optional<process::LockFile>> guard_bind(std::string_view endpoint) {
  if (!ascii::starts_with(endpoint, kIpc)) return std::optional<process::LockFile>();
  const std::string path(endpoint.substr(kIpc.size()));
  std::error_code ec;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(),
                                      ec);  // LockFile reports what is wrong
  auto lock = process::LockFile::acquire(path + ".lock");
  if (!lock) return lock.error();
  return std::optional<process::LockFile>(std::move(lock.value()));
}

}  // namespace mdpipe::transport

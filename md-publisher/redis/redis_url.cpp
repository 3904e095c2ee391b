#include "md-publisher/redis/redis_url.hpp"

#include <fmt/format.h>

#include <charconv>

#include "libshared/config/options.hpp"
#include "libshared/config/secret_file.hpp"
#include "libshared/text/ascii.hpp"

namespace mdpipe::publisher {
namespace {

constexpr std::string_view kForms =
    "expected redis://[user[:password]@]host[:port][/database], the same with rediss:// for TLS, or "
    "unix://[user[:password]@]/path[?db=N]";
constexpr std::string_view kSentinelForm =
    "expected redis+sentinel://[user[:password]@]host[:port][,host[:port]]/service[/database]";
constexpr std::string_view kClusterForm =
    "expected redis+cluster://[user[:password]@]host[:port][,host[:port]]";
constexpr int kDatabaseMax = 1'000'000;

bool parse_int(std::string_view text, int min, int max, int& out) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  return ec == std::errc() && end == text.data() + text.size() && out >= min && out <= max;
}

// "user:password@", taken off the front of `rest`.
bool take_user(std::string_view& rest, RedisAddress& address) {
  const std::size_t at = rest.rfind('@');
  if (at == std::string_view::npos) return true;
  const std::string_view login = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  const std::size_t colon = login.find(':');
  const auto user = ascii::percent_decoded(login.substr(0, colon));
  const auto password =
      ascii::percent_decoded(colon == std::string_view::npos ? "" : login.substr(colon + 1));
  if (!user || !password) return false;
  address.user = *user;
  address.password = *password;
  return true;
}

// "host", "host:port", "[::1]:port".
bool take_host(std::string_view text, std::string& host, std::string& port) {
  const bool bracketed = !text.empty() && text.front() == '[';
  const std::size_t host_end = bracketed ? text.find(']') : text.find(':');
  if (bracketed && host_end == std::string_view::npos) return false;
  host = std::string(bracketed ? text.substr(1, host_end - 1) : text.substr(0, host_end));
  std::string_view rest =
      host_end == std::string_view::npos ? std::string_view() : text.substr(host_end + (bracketed ? 1 : 0));
  if (rest.empty()) return !host.empty();
  int number = 0;
  if (rest.front() != ':' || !parse_int(rest.substr(1), 1, 65535, number)) return false;
  port = fmt::format("{}", number);
  return !host.empty();
}

// "host:port,host", `port` for those that name none.
bool take_hosts(std::string_view text, const char* port, std::vector<HostPort>& out) {
  for (std::size_t comma = 0; comma != std::string_view::npos;) {
    comma = text.find(',');
    HostPort& host = out.emplace_back(HostPort{{}, port});
    if (!take_host(text.substr(0, comma), host.host, host.port)) return false;
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return true;
}

// "?db=N" off the end of `rest`; other parameters are refused, a password among them would be seen by
// everyone.
bool take_query(std::string_view& rest, RedisAddress& address) {
  const std::size_t query = rest.find('?');
  if (query == std::string_view::npos) return true;
  std::string_view parameter = rest.substr(query + 1);
  rest = rest.substr(0, query);
  return ascii::take_prefix(parameter, "db=") && parse_int(parameter, 0, kDatabaseMax, address.database);
}

// What is wrong with the rest of a URL behind "unix://"; empty if nothing is.
std::string_view read_unix(std::string_view rest, RedisAddress& address) {
  address.unix_path = std::string(rest);
  return address.unix_path.empty() || address.unix_path.front() != '/' ? "the socket's path is not absolute"
                                                                       : "";
}

// The same behind "redis://".
std::string_view read_tcp(std::string_view rest, RedisAddress& address) {
  const std::size_t slash = rest.find('/');
  if (slash != std::string_view::npos && slash + 1 < rest.size() &&
      !parse_int(rest.substr(slash + 1), 0, kDatabaseMax, address.database)) {
    return "the database is not a number";
  }
  return take_host(rest.substr(0, slash), address.host, address.port) ? "" : "host or port is wrong";
}

// The same behind "redis+sentinel://".
std::string_view read_sentinel(std::string_view rest, RedisAddress& address) {
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos || slash + 1 == rest.size())
    return "the name of the service is missing";
  const std::string_view hosts = rest.substr(0, slash);
  const std::string_view path = rest.substr(slash + 1);
  const std::size_t second = path.find('/');
  address.sentinel.service = std::string(path.substr(0, second));
  if (second != std::string_view::npos &&
      !parse_int(path.substr(second + 1), 0, kDatabaseMax, address.database))
    return "the database is not a number";
  return take_hosts(hosts, "26379", address.sentinel.hosts) ? "" : "a host or port is wrong";
}

// The same behind "redis+cluster://".
std::string_view read_cluster(std::string_view rest, RedisAddress& address) {
  if (rest.find('/') != std::string_view::npos) return "a Cluster has no databases";
  return take_hosts(rest, "6379", address.cluster) ? "" : "a host or port is wrong";
}

}  // namespace

std::string RedisAddress::display() const {
  if (!unix_path.empty()) return fmt::format("{} database {}", unix_path, database);
  if (!host.empty()) return fmt::format("{}:{}/{}", host, port, database);
  if (!cluster.empty())
    return fmt::format("the Cluster of {}:{}", cluster.front().host, cluster.front().port);
  return fmt::format("the master '{}' of {} Sentinels", sentinel.service, sentinel.hosts.size());
}

Result<RedisAddress> parse_redis_url(std::string_view url) {
  RedisAddress address;
  std::string_view rest = url;
  const bool is_unix = ascii::take_prefix(rest, "unix://");
  address.is_tls = !is_unix && ascii::take_prefix(rest, "rediss");
  const bool is_redis = !is_unix && (address.is_tls || ascii::take_prefix(rest, "redis"));
  const bool is_sentinel = is_redis && ascii::take_prefix(rest, "+sentinel");
  const bool is_cluster = is_redis && ascii::take_prefix(rest, "+cluster");
  const std::string_view form = is_sentinel ? kSentinelForm : is_cluster ? kClusterForm : kForms;
  const auto bad = [&](std::string_view why) {
    return Error{ErrorKind::BadConfig,
                 fmt::format("--redis-url '{}': {}; {}", config::mask_url(url), why, form)};
  };
  if (!is_unix && !(is_redis && ascii::take_prefix(rest, "://"))) return bad("unknown scheme");
  if (!take_user(rest, address)) return bad("user or password has a stray '%' (write it as %25)");
  if (!take_query(rest, address)) return bad("the only parameter is db=NUMBER");
  if (is_cluster && address.database != 0) return bad("a Cluster has no databases");
  const std::string_view wrong = is_unix       ? read_unix(rest, address)
                                 : is_sentinel ? read_sentinel(rest, address)
                                 : is_cluster  ? read_cluster(rest, address)
                                               : read_tcp(rest, address);
  if (!wrong.empty()) return bad(wrong);
  return address;
}

Result<std::optional<std::string>> read_password(const std::string& file) {
  return config::read_secret({"redis-password-file", "redis_password", "the password"}, file);
}

Result<std::optional<std::string>> read_sentinel_password(const std::string& file) {
  return config::read_secret(
      {"redis-sentinel-password-file", "redis_sentinel_password", "the Sentinels' password"}, file);
}

}  // namespace mdpipe::publisher

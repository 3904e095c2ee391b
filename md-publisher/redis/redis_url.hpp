#pragma once
// Where Redis is and who we are there, from a URL, a user, a password file and the files of TLS.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/result/result.hpp"

namespace mdpipe::publisher {

// All empty: the system's CAs, no certificate of our own, the name of the URL.
struct TlsFiles {
  std::string ca, cert, key;
  std::string server_name;  // what the server's certificate has to be for, if that is not the URL's host
};

struct HostPort {
  std::string host;
  std::string port;
};
inline bool operator==(const HostPort& a, const HostPort& b) { return a.host == b.host && a.port == b.port; }

// Where Sentinels are to be asked which Redis is the master.
struct SentinelAddress {
  std::vector<HostPort> hosts;  // empty: no Sentinel, the address is Redis's own
  std::string service;          // as the Sentinels call the master
  std::string user, password;   // of the Sentinels themselves
};

struct RedisAddress {
  std::string host;  // empty if `unix_path` is set
  std::string port = "6379";
  std::string unix_path;
  std::string user;      // empty: Redis's default user
  std::string password;  // empty: no AUTH
  int database = 0;
  bool is_tls = false;
  TlsFiles tls;
  SentinelAddress sentinel;
  std::vector<HostPort> cluster;  // some nodes of a Redis Cluster; empty: it is none

  // "127.0.0.1:6379/0" or "/run/redis/redis.sock", without secrets.
  [[nodiscard]] std::string display() const;
};

// "redis[s]://[user[:password]@]host[:port][/database]" or "unix://[user[:password]@]/path[?db=N]", as
// redis-cli and redis-py have them. BadConfig names what is wrong with it.
Result<RedisAddress> parse_redis_url(std::string_view url);

// The password in `file`, else in systemd's credential "redis_password", else nothing. BadConfig if it
// cannot be read.
Result<std::optional<std::string>> read_password(const std::string& file);
// The same for the Sentinels: "redis_sentinel_password".
Result<std::optional<std::string>> read_sentinel_password(const std::string& file);

}  // namespace mdpipe::publisher

#pragma once
// The options of md-publisher, checked and with their defaults filled in. docs/man/md-publisher.1 says what
// each means.
#include <cstdint>
#include <string>

#include "libshared/config/options.hpp"
#include "libshared/transport/security.hpp"
#include "md-publisher/redis/redis_url.hpp"
#include "md-publisher/streams/stream_key.hpp"

namespace mdpipe::publisher {

struct Config {
  std::string redis_url = "redis://127.0.0.1:6379";
  std::string redis_user;           // empty: that of the URL, or Redis's default user
  std::string redis_password_file;  // empty: the systemd credential redis_password, if there is one
  TlsFiles redis_tls;
  std::string redis_sentinel_user;
  std::string redis_sentinel_password_file;  // empty: the systemd credential redis_sentinel_password
  std::int64_t redis_wait_replicas = 0;
  std::string stream_name = "md:{type}";
  std::string cursor_key = "md:cursor";
  std::string state_key = "md:state";
  std::string format = "fields";
  std::string maxlen = "100000,orderbook=20000";
  std::string maxage = "0";
  config::Bytes stream_bytes_max{0};  // 0: no limit

  std::string source = "md-publisher";
  std::string runtime_dir = "/run/mdpipe";
  std::string events_endpoint;     // empty: ipc in runtime_dir
  std::string positions_endpoint;  // the same
  std::string metrics_endpoint;    // the same

  config::Bytes in_flight_bytes_max{512U << 10U};
  config::Milliseconds redis_timeout{10'000};
  config::Milliseconds reconnect_delay_max{5'000};
  bool no_retry = false;

  bool enable_metrics = true;
  std::string log_level = "info";

  transport::Security security;

  // Filled in by loading.
  RedisAddress redis;
  StreamNaming naming;
  TrimPolicy trim;
};

// Adds every option to the table; the config must outlive it. Loading it also validates and fills in
// defaults.
void add_options(config::OptionTable& table, Config& config);

}  // namespace mdpipe::publisher

#include "md-publisher/config.hpp"

#include <fmt/format.h>

#include "libshared/transport/endpoint.hpp"
#include "md-publisher/redis/tls_stream.hpp"

namespace mdpipe::publisher {
namespace {

Result<bool> check_endpoints(Config& config) {
  const auto fill = [&](std::string& endpoint, std::string_view name) {
    if (endpoint.empty()) endpoint = transport::ipc_endpoint(config.runtime_dir, name);
  };
  fill(config.events_endpoint, "events");
  fill(config.positions_endpoint, "positions");
  fill(config.metrics_endpoint, "metrics");
  const std::pair<const char*, const std::string*> endpoints[] = {
      {"events-endpoint", &config.events_endpoint},
      {"positions-endpoint", &config.positions_endpoint},
      {"metrics-endpoint", &config.metrics_endpoint}};
  for (const auto& [option, endpoint] : endpoints) {
    if (const auto checked = transport::check_endpoint(option, *endpoint); !checked) return checked.error();
  }
  transport::Security& security = config.security;
  if (auto loaded = security.load(); !loaded) return loaded;
  for (const auto& [option, endpoint] : {endpoints[0], endpoints[1]}) {
    if (auto checked = security.check_listening(option, *endpoint); !checked) return checked;
  }
  return security.check_agent("metrics-endpoint", config.metrics_endpoint);
}

Result<bool> check_tls(Config& config) {
  const TlsFiles& files = config.redis_tls;
  const bool any =
      !files.ca.empty() || !files.cert.empty() || !files.key.empty() || !files.server_name.empty();
  if (any && !config.redis.is_tls)
    return Error{ErrorKind::BadConfig,
                 "a --redis-tls- option is set but --redis-url has no TLS: write rediss://, or leave it out"};
  config.redis.tls = files;
  return config.redis.is_tls ? check_tls_files(files) : true;
}

Result<bool> check_sentinel(Config& config) {
  SentinelAddress& sentinel = config.redis.sentinel;
  const bool named = !config.redis_sentinel_user.empty() || !config.redis_sentinel_password_file.empty();
  if (named && sentinel.hosts.empty())
    return Error{ErrorKind::BadConfig,
                 "a --redis-sentinel- option is set but --redis-url names no Sentinel: write "
                 "redis+sentinel://host[,host]/service, or leave it out"};
  sentinel.user = config.redis_sentinel_user;
  auto password = read_sentinel_password(config.redis_sentinel_password_file);
  if (!password) return password.error();
  sentinel.password = password.value().value_or("");
  return true;
}

Result<bool> check_redis(Config& config) {
  auto address = parse_redis_url(config.redis_url);
  if (!address) return address.error();
  config.redis = std::move(address.value());
  if (!config.redis_user.empty()) {
    if (!config.redis.user.empty() && config.redis.user != config.redis_user)
      return Error{ErrorKind::BadConfig, "--redis-user and the user in --redis-url differ: name one of them"};
    config.redis.user = config.redis_user;
  }
  auto password = read_password(config.redis_password_file);
  if (!password) return password.error();
  if (password.value()) config.redis.password = *password.value();
  if (!config.redis.user.empty() && config.redis.password.empty())
    return Error{ErrorKind::BadConfig,
                 fmt::format("user '{}' of Redis has no password: name a file that holds it in "
                             "--redis-password-file",
                             config.redis.user)};
  if (const auto sentinel = check_sentinel(config); !sentinel) return sentinel.error();
  return check_tls(config);
}

Result<bool> check(Config& config) {
  if (const auto redis = check_redis(config); !redis) return redis.error();
  auto naming = StreamNaming::parse(config.stream_name);
  if (!naming) return naming.error();
  config.naming = std::move(naming.value());
  auto trim = TrimPolicy::parse(config.maxlen, config.maxage);
  if (!trim) return trim.error();
  config.trim = std::move(trim.value());
  if (config.cursor_key.empty())
    return Error{ErrorKind::BadConfig, "--cursor-key is empty; name a key such as md:cursor"};
  if (config.state_key.empty())
    return Error{ErrorKind::BadConfig, "--state-key is empty; name a key such as md:state"};
  if (config.state_key == config.cursor_key)
    return Error{ErrorKind::BadConfig, "--state-key and --cursor-key are the same key; they are two hashes"};
  return check_endpoints(config);
}

}  // namespace

void add_options(config::OptionTable& table, Config& config) {
  table.section("Redis");
  table
      .add("redis-url", config.redis_url,
           "Address of Redis: redis://[user[:password]@]host[:port][/database], rediss:// for TLS, "
           "unix:///path[?db=N], redis+sentinel://host[:port][,...]/service[/database], or "
           "redis+cluster://host[:port][,...].")
      .secrecy(config::Secrecy::Url)
      .value_name("URL");
  table.add("redis-user", config.redis_user, "ACL user, if the URL names none.").value_name("NAME");
  table
      .add("redis-password-file", config.redis_password_file,
           "File that contains only the password; by default systemd's credential redis_password, if it "
           "exists.")
      .value_name("FILE");
  table
      .add("redis-tls-ca-file", config.redis_tls.ca,
           "PEM file of the certificate authorities to trust; by default those of the system.")
      .value_name("FILE");
  table
      .add("redis-tls-cert-file", config.redis_tls.cert,
           "PEM file of md-publisher's own certificate, for a server that requires one.")
      .value_name("FILE");
  table.add("redis-tls-key-file", config.redis_tls.key, "PEM file of the key of that certificate.")
      .value_name("FILE");
  table
      .add("redis-tls-server-name", config.redis_tls.server_name,
           "Name that the server's certificate must contain, if it is not the host of the URL.")
      .value_name("NAME");
  table.add("redis-sentinel-user", config.redis_sentinel_user, "ACL user of the Sentinels.")
      .value_name("NAME");
  table
      .add("redis-sentinel-password-file", config.redis_sentinel_password_file,
           "File that contains only the Sentinels' password; by default systemd's credential "
           "redis_sentinel_password, if it exists.")
      .value_name("FILE");
  table
      .add("redis-wait-replicas", config.redis_wait_replicas,
           "Confirm an event only when this many replicas hold it; until then the readers keep it.")
      .range(0, 100)
      .value_name("N");
  table
      .add("redis-timeout", config.redis_timeout,
           "If a command is not answered within this time, md-publisher reconnects.")
      .range(100, 600'000);
  table
      .add("reconnect-delay-max", config.reconnect_delay_max,
           "Longest pause between attempts to reach Redis, or to write what Redis refused.")
      .range(10, 600'000);
  table.add("no-retry", config.no_retry,
            "If Redis cannot be reached or refuses a transaction, exit with 69 instead of trying again.");
  table
      .add("in-flight-bytes-max", config.in_flight_bytes_max,
           "Bytes of commands that Redis has not answered; at the limit, no more events are accepted from "
           "the readers.")
      .range(64 << 10U, 1LL << 32U);

  table.section("Streams");
  table
      .add("stream-name", config.stream_name,
           "Name of an event's stream, made of {type}, {exchange} and {symbol}.")
      .value_name("TEMPLATE");
  table
      .add("format", config.format,
           "fields: one field for each key of the event; msgpack: the whole event as msgpack in the field e.")
      .one_of({"fields", "msgpack"});
  table
      .add("maxlen", config.maxlen,
           "Approximate number of entries to keep in each stream, per type: 100000,orderbook=20000; 0 keeps "
           "all.")
      .value_name("N[,TYPE=N]...");
  table
      .add("maxage", config.maxage,
           "Approximate age at which entries are removed, per type: 24h,orderbook=90m; 0 keeps all.")
      .value_name("TIME[,TYPE=TIME]...");
  table.add("stream-bytes-max", config.stream_bytes_max,
            "Approximate limit of the memory of all streams together; above it, all streams are trimmed by "
            "the same share. 0 is no limit.");
  table.add("cursor-key", config.cursor_key, "Hash that holds the last written position of each reader.")
      .value_name("KEY");
  table.add("state-key", config.state_key, "Hash that holds the current state of each feed.")
      .value_name("KEY");

  table.section("Link");
  table.add("source", config.source, "Name of this publisher in metrics.").env("PUBLISHER_SOURCE");
  table.add("runtime-dir", config.runtime_dir, "Folder of the sockets.")
      .env("RUNTIME_DIRECTORY")
      .value_name("DIR");
  table
      .add("events-endpoint", config.events_endpoint,
           "Where readers send events; by default ipc://RUNTIME-DIR/events.")
      .value_name("ENDPOINT");
  table
      .add("positions-endpoint", config.positions_endpoint,
           "Where readers receive positions; by default ipc://RUNTIME-DIR/positions.")
      .value_name("ENDPOINT");
  table
      .add("metrics-endpoint", config.metrics_endpoint,
           "Where metrics-agent receives metrics; by default ipc://RUNTIME-DIR/metrics.")
      .value_name("ENDPOINT");
  config.security.add_options(table, {false, true, true});

  table.section("Observation");
  table.add("enable-metrics", config.enable_metrics, "Count and send metrics.");
  table.add("log-level", config.log_level, "Lowest level to log.")
      .one_of({"trace", "debug", "info", "warn", "error", "fatal"})
      .reloads();
  table.validate_with([&config] { return check(config); });
}

}  // namespace mdpipe::publisher

#include "metrics-agent/forward/statsd/statsd_config.hpp"

#include <fmt/format.h>

#include <utility>

namespace mdpipe::agent {
namespace {

// Ethernet's 1500 bytes minus the headers of IPv6, UDP and a tunnel.
constexpr std::size_t kUdpBytes = 1432;
constexpr std::size_t kUnixBytes = 8192;
constexpr std::size_t kDatagramBytesMin = 512;
constexpr std::size_t kDatagramBytesMax = 65'507;  // of UDP
constexpr std::size_t kPrefixBytesMax = 100;
constexpr std::size_t kTagsMax = 20;
constexpr std::string_view kAlphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

bool consists_of(std::string_view text, std::string_view others) {
  return text.find_first_not_of(std::string(kAlphanumeric).append(others)) == std::string_view::npos;
}

Error wrong_statsd(std::string text) { return Error{ErrorKind::BadConfig, std::move(text)}; }

Result<std::vector<std::string>> make_tags(const config::StringList& list) {
  std::vector<std::string> tags;
  for (const std::string& tag : list) {
    const std::size_t equal = tag.find('=');
    const std::string_view key = std::string_view(tag).substr(0, equal);
    if (equal == std::string::npos || equal + 1 == tag.size() || key.empty() ||
        key.size() > kPrefixBytesMax || !consists_of(key, "_-./")) {
      return wrong_statsd(fmt::format("--statsd-tags '{}': expected NAME=VALUE such as env=prod", tag));
    }
    tags.push_back(statsd_tag(key, std::string_view(tag).substr(equal + 1)));
  }
  if (tags.size() > kTagsMax)
    return wrong_statsd(
        fmt::format("--statsd-tags: {} tags; at most {} are sent with each metric", tags.size(), kTagsMax));
  return tags;
}

std::size_t datagram_bytes(const StatsdConfig& config, const DatagramAddress& address) {
  if (config.datagram_bytes_max.count > 0) return config.datagram_bytes_max.count;
  return address.is_unix() ? kUnixBytes : kUdpBytes;
}

}  // namespace

void add_statsd_options(config::OptionTable& options, StatsdConfig& config) {
  options.section("StatsD");
  options
      .add("statsd-address", config.address,
           "Send metrics to this receiver, udp://HOST:PORT or unix:///PATH; empty for none.")
      .value_name("ADDRESS");
  options.add("statsd-format", config.format, "Plain StatsD, or DogStatsD with tags and distributions.")
      .one_of({"statsd", "dogstatsd"});
  options.add("statsd-prefix", config.prefix, "Prefix of the names.").value_name("TEXT");
  options.add("statsd-tags", config.tags, "Tags for every metric, as NAME=VALUE; only with dogstatsd.");
  options
      .add("statsd-datagram-bytes-max", config.datagram_bytes_max,
           "Maximum size of a datagram; the default over UDP is what the network carries without "
           "fragmentation.")
      .range(kDatagramBytesMin, kDatagramBytesMax)
      .default_shown("1432 over UDP, 8192 over a Unix socket");
}

Result<std::optional<StatsdOptions>> make_statsd_options(const StatsdConfig& config) {
  if (config.address.empty()) return std::optional<StatsdOptions>();
  auto address = parse_datagram_address("statsd-address", config.address);
  if (!address) return address.error();
  if (config.prefix.size() > kPrefixBytesMax || !consists_of(config.prefix, "_-."))
    return wrong_statsd(
        fmt::format("--statsd-prefix '{}': expected at most {} letters, digits, '_', '-' and '.'",
                    config.prefix, kPrefixBytesMax));
  const bool is_dog = config.format == "dogstatsd";
  if (!config.tags.empty() && !is_dog)
    return wrong_statsd(
        "--statsd-tags: plain StatsD has no tags; set --statsd-format=dogstatsd or leave them out");
  auto tags = make_tags(config.tags);
  if (!tags) return tags.error();
  StatsdFormat format{is_dog ? StatsdFlavour::DogStatsd : StatsdFlavour::Statsd, config.prefix,
                      std::move(tags.value()), datagram_bytes(config, address.value())};
  return std::optional<StatsdOptions>({std::move(address.value()), std::move(format)});
}

}  // namespace mdpipe::agent

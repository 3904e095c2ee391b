#pragma once
// The StatsD destination: what an operator writes (config), and what is made of it (options).
#include <optional>
#include <string>

#include "libshared/config/options.hpp"
#include "libshared/result/result.hpp"
#include "metrics-agent/forward/statsd/datagram_address.hpp"
#include "metrics-agent/forward/statsd/statsd_format.hpp"

namespace mdpipe::agent {

struct StatsdConfig {
  std::string address;  // empty: off
  std::string format = "statsd";
  std::string prefix = "mdpipe.";
  config::StringList tags;
  config::Bytes datagram_bytes_max;  // 0: what is usual for the kind of address
};

struct StatsdOptions {
  DatagramAddress address;
  StatsdFormat format;
};

// Binds `config`, which must outlive the table.
void add_statsd_options(config::OptionTable& options, StatsdConfig& config);

// Nothing if StatsD is off. The error names the option and the remedy.
Result<std::optional<StatsdOptions>> make_statsd_options(const StatsdConfig& config);

}  // namespace mdpipe::agent

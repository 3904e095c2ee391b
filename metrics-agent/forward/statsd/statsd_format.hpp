#pragma once
// Counts and gauges as datagrams of the StatsD line protocol, plain or DogStatsD, many lines in a datagram.
// Each datagram lists the counts in it, so that they can be sent again if it was not accepted. Pure.
//
// Plain StatsD has no labels, so their values are parts of the name. Sources: the README and
// docs/metric_types.md of github.com/statsd/statsd;
// https://docs.datadoghq.com/developers/dogstatsd/datagram_shell/ (read 2026-11-25).
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "metrics-agent/forward/undelivered.hpp"
#include "metrics-agent/store/snapshot_store.hpp"

namespace mdpipe::agent {

enum class StatsdFlavour { Statsd, DogStatsd };

struct StatsdFormat {
  StatsdFlavour flavour = StatsdFlavour::Statsd;
  std::string prefix;             // of every name, with the dot that ends it
  std::vector<std::string> tags;  // DogStatsD: constant ones, "env:prod"
  std::size_t datagram_bytes_max = 1432;
};

struct Datagram {
  std::string text;
  std::size_t points = 0;  // samples in it
  std::vector<Undelivered::Part> counts;
};

struct Datagrams {
  std::vector<Datagram> list;  // counts first, then gauges
  Datagram too_long;  // what does not even fit into a datagram of its own: points and counts without text
};

Datagrams statsd_datagrams(const Undelivered& counts, const SnapshotStore& store, const StatsdFormat& format);

// A tag of DogStatsD: characters of the protocol, spaces and control characters become '_'; at most 200
// bytes.
std::string statsd_tag(std::string_view key, std::string_view value);

}  // namespace mdpipe::agent

#pragma once
// The options of ws-reader. Loading checks them and fills in defaults. docs/man/ws-reader.1 explains each.
#include <cstdint>
#include <string>
#include <vector>

#include "libshared/config/options.hpp"
#include "libshared/event/event.hpp"
#include "libshared/result/result.hpp"
#include "libshared/transport/security.hpp"
#include "ws-reader/venues/adapter.hpp"

namespace mdpipe::reader {

struct Config {
  std::string exchange;
  config::StringList symbols;
  config::StringList channels = {"ticker", "trade", "orderbook"};
  config::StringList stale_after;  // "ticker=3s"; for other channels the exchange's value
  std::string url;                 // empty: the exchange's own
  std::string source;              // empty: the exchange's name
  std::string rest_url;            // empty: the exchange's own
  std::string ca_file;
  std::string books;  // "checked" or "raw"; empty: raw for a plain filter, else checked

  bool from_stdin = false;
  bool to_stdout = false;

  std::string runtime_dir = "/run/mdpipe";
  std::string events_endpoint;     // empty: ipc in runtime_dir
  std::string positions_endpoint;  // the same
  std::string metrics_endpoint;    // the same
  std::string tap_endpoint;        // the same; "none" switches the tap off

  config::Bytes retain_bytes{64U << 20U};
  std::string spool = "auto";
  config::Bytes spool_bytes{1U << 30U};
  config::Milliseconds spool_after{1'000};
  std::string state_dir;  // empty: runtime_dir
  config::StringList when_behind = {"keep"};
  config::Milliseconds behind_limit{5'000};
  config::Bytes frame_bytes_max{8U << 20U};
  config::Milliseconds connect_timeout{10'000};
  config::Milliseconds ping_interval{20'000};
  config::Milliseconds pong_timeout{10'000};
  config::Milliseconds reconnect_delay_min{500};
  config::Milliseconds reconnect_delay_max{60'000};
  bool no_retry = false;

  bool enable_metrics = true;
  std::string log_level = "info";

  transport::Security security;

  std::vector<EventType> conflated_types;  // derived from when_behind by loading
  [[nodiscard]] bool checks_books() const { return books == "checked"; }

  // Every wanted pair of symbol and channel, grouped by symbol.
  [[nodiscard]] std::vector<venues::Subscription> subscriptions() const;
  [[nodiscard]] venues::StaleAfter stale_limits(const venues::Profile& profile) const;
};

// Adds every option to the table; the config must outlive it. Loading it also validates and fills in
// defaults.
void add_options(config::OptionTable& table, Config& config);

}  // namespace mdpipe::reader

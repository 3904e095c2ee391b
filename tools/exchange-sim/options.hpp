#pragma once
// All options of exchange-sim with their defaults, and the table that reads them. Values that depend on the
// exchange are filled in once everything is read.
#include <cstdint>
#include <string>

#include "libshared/config/options.hpp"

namespace mdpipe::sim {

struct Options {
  // Connection
  std::string exchange = "gmo";
  std::string listen = "127.0.0.1:0";
  std::string port_file, tls_cert, tls_key;
  bool deflate = true;
  config::Bytes buffer{4U << 20U};
  std::int64_t connections_max = 256;

  // Data
  config::StringList symbols;
  std::int64_t seed = 1;
  double rate = 20;
  std::int64_t events = 0;
  std::int64_t book_levels = 0;
  config::Milliseconds snapshot_interval{5'000};
  bool run_unwatched = false;

  // Replay
  bool exit_after_replay = false;  // next to another flag, to save padding
  std::string replay;
  double speed = 1;
  std::string replay_start = "subscribe";

  // Rules of the exchange
  std::int64_t requests_per_second = 0, missed_pongs_max = 0;
  config::Milliseconds ping_interval{0}, idle_timeout{0}, max_connection_age{0};

  // Misbehaviour
  std::int64_t close_after = 0, close_code = 1012;
  std::string close_reason = "scheduled maintenance";
  std::int64_t drop_after = 0, silence_after = 0, silence_symbol_after = 0;
  std::string silence_symbol;
  std::int64_t refuse_http = 0, refuse_count = 0, retry_after = 0;
  std::int64_t garbage_every = 0;
  config::StringList garbage_kinds;
  std::int64_t bomb_after = 0;
  config::Bytes bomb_bytes{64U << 20U};
  std::int64_t skip_delta_every = 0, cross_book_every = 0, wrong_mid_every = 0;
  std::int64_t rest_status = 0, rest_status_count = 0;
  config::Milliseconds delay{0};
  std::int64_t slow_bytes_per_second = 0;
  double burst = 1;
  config::Milliseconds burst_every{10'000}, burst_length{1'000};
  bool no_pong = false;

  // Observation
  bool log_sent_at_once = false;
  std::string log_level = "info", log_sent, control;
};

// Binds `options`, which must outlive the table.
config::OptionTable option_table(Options& options);

// Fills in the exchange's own behaviour if an option was not given, and checks rules that span several
// options. For OptionTable::validate_with.
Result<bool> finish_options(const config::OptionTable& table, Options& options);

}  // namespace mdpipe::sim

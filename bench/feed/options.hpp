#pragma once
// The options of the benchmark's feed. It has no configuration file and reads no environment, because only
// bench.py starts it.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mdpipe::bench {

struct Mix {
  unsigned trades = 60, tickers = 25, books = 15;  // shares of 100
};

struct Burst {
  double factor = 1;   // the rate is multiplied by it
  double seconds = 0;  // how long; 0: no burst
  double at = 5;       // seconds after the first frame
};

struct Options {
  std::vector<std::string> symbols = {"BTC_JPY", "ETH_JPY"};
  std::size_t depth = 20;       // levels a side
  std::size_t frame_bytes = 0;  // books of this size instead; 0: by depth
  Mix mix;
  double rate = 0;          // frames a second; 0: as fast as the client takes them
  std::uint64_t count = 0;  // frames; 0: until `seconds` are over
  double seconds = 0;       // 0: until `count` frames are out
  Burst burst;
  bool waits_for_go = false;  // begin with a line on standard input instead of the first subscription
  std::string port_file, report_file, table_file;
};

// Throws std::invalid_argument with a sentence that names the option.
Options parse_options(int argc, char** argv);

std::string usage();

}  // namespace mdpipe::bench

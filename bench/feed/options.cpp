#include "bench/feed/options.hpp"

#include <fmt/format.h>
#include <getopt.h>

#include <array>
#include <charconv>
#include <sstream>
#include <stdexcept>

namespace mdpipe::bench {
namespace {

template <typename Number>
Number read_number(std::string_view text, std::string_view name) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    throw std::invalid_argument(fmt::format("--{} '{}': expected a number", name, text));
  return number;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

// A number stands for that many names; the first ones are real.
std::vector<std::string> read_symbols(const std::string& text) {
  if (text.find_first_not_of("0123456789") != std::string::npos) return split(text, ',');
  std::vector<std::string> symbols = {"BTC_JPY", "ETH_JPY", "XRP_JPY", "SOL_JPY", "DOGE_JPY"};
  symbols.resize(read_number<std::size_t>(text, "symbols"));
  for (std::size_t i = 0; i < symbols.size(); ++i)
    if (symbols[i].empty()) symbols[i] = fmt::format("S{:04}_JPY", i);
  return symbols;
}

Mix read_mix(const std::string& text) {
  const auto parts = split(text, ',');
  if (parts.size() != 3) throw std::invalid_argument("--mix: expected TRADES,TICKERS,BOOKS");
  const Mix mix{read_number<unsigned>(parts[0], "mix"), read_number<unsigned>(parts[1], "mix"),
                read_number<unsigned>(parts[2], "mix")};
  if (mix.trades + mix.tickers + mix.books != 100)
    throw std::invalid_argument("--mix: the shares must add up to 100");
  return mix;
}

Burst read_burst(const std::string& text) {
  const auto parts = split(text, ':');
  if (parts.size() < 2 || parts.size() > 3)
    throw std::invalid_argument("--burst: expected FACTOR:SECONDS[:AT]");
  Burst burst{read_number<double>(parts[0], "burst"), read_number<double>(parts[1], "burst"), Burst{}.at};
  if (parts.size() == 3) burst.at = read_number<double>(parts[2], "burst");
  return burst;
}

constexpr std::array<option, 14> kOptions = {{{"symbols", required_argument, nullptr, 's'},
                                              {"depth", required_argument, nullptr, 'd'},
                                              {"frame-bytes", required_argument, nullptr, 'f'},
                                              {"mix", required_argument, nullptr, 'm'},
                                              {"rate", required_argument, nullptr, 'r'},
                                              {"count", required_argument, nullptr, 'c'},
                                              {"seconds", required_argument, nullptr, 't'},
                                              {"burst", required_argument, nullptr, 'b'},
                                              {"go", no_argument, nullptr, 'g'},
                                              {"port-file", required_argument, nullptr, 'p'},
                                              {"report", required_argument, nullptr, 'o'},
                                              {"table", required_argument, nullptr, 'a'},
                                              {"help", no_argument, nullptr, 'h'},
                                              {nullptr, 0, nullptr, 0}}};

void set(Options& options, int name, const std::string& value) {
  switch (name) {
    case 's':
      options.symbols = read_symbols(value);
      break;
    case 'd':
      options.depth = read_number<std::size_t>(value, "depth");
      break;
    case 'f':
      options.frame_bytes = read_number<std::size_t>(value, "frame-bytes");
      break;
    case 'm':
      options.mix = read_mix(value);
      break;
    case 'r':
      options.rate = read_number<double>(value, "rate");
      break;
    case 'c':
      options.count = read_number<std::uint64_t>(value, "count");
      break;
    case 't':
      options.seconds = read_number<double>(value, "seconds");
      break;
    case 'b':
      options.burst = read_burst(value);
      break;
    case 'g':
      options.waits_for_go = true;
      break;
    case 'p':
      options.port_file = value;
      break;
    case 'o':
      options.report_file = value;
      break;
    case 'a':
      options.table_file = value;
      break;
    default:
      throw std::invalid_argument("unknown option");
  }
}

}  // namespace

Options parse_options(int argc, char** argv) {
  Options options;
  for (int name = 0; (name = getopt_long(argc, argv, "", kOptions.data(), nullptr)) != -1;)
    set(options, name, optarg != nullptr ? optarg : "");
  if (options.symbols.empty()) throw std::invalid_argument("--symbols: at least one is needed");
  if (options.count == 0 && options.seconds <= 0)
    throw std::invalid_argument("one of --count and --seconds is needed");
  return options;
}

std::string usage() {
  return "bench-feed: a WebSocket server that sends frames as GMO Coin does to one client, faster than any "
         "client reads\n"
         "  --symbols A,B | N         names, or how many\n"
         "  --depth LEVELS            of a side of a book (20)\n"
         "  --frame-bytes BYTES       size of a book's frame, instead of --depth\n"
         "  --mix T,K,B               shares of trades, tickers and books of 100 (60,25,15)\n"
         "  --rate FRAMES             a second, evenly spaced; without it as fast as the client takes them\n"
         "  --count FRAMES            end after so many\n"
         "  --seconds SECONDS         end after this time\n"
         "  --burst FACTOR:SECONDS[:AT]  --rate rises by the factor, AT seconds (5) after the first frame\n"
         "  --go                      begin with a line on standard input, not with the first subscription\n"
         "  --port-file FILE          where the port is written\n"
         "  --report FILE             what was sent, as JSON, written when the last frame is out\n"
         "  --table FILE              of each frame: kind, due time and send time (int64 each, ns since "
         "1970)\n";
}

}  // namespace mdpipe::bench

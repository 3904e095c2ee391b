#pragma once
// Frames for the micro benchmarks, shaped as the exchanges send them; those of GMO Coin are the feed's.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/feed/options.hpp"
#include "libshared/time/time.hpp"

namespace mdpipe::bench {

// When the frames are read: 1 ms after the time in those of GMO Coin.
inline constexpr UnixNanos kReceived{1'790'133'947'766'000'000};
inline constexpr std::uint32_t kBatchEvents = 100;

struct Shape {
  std::size_t symbols = 10;
  std::size_t depth = 20;  // levels a side of a book, changed levels a side of a delta
  Mix mix;
};

std::vector<std::string> symbol_names(std::size_t count);

std::vector<std::string> gmo_frames(const Shape& shape);
std::vector<std::string> bitflyer_frames(const Shape& shape);
std::vector<std::string> binance_frames(const Shape& shape);
// Frames of the exchange with this name.
std::vector<std::string> frames_of(const std::string& exchange, const Shape& shape);

}  // namespace mdpipe::bench

#pragma once
// The texts of Binance spot's frames: the streams, and how an event is written in them. No sessions or
// requests.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/exchange-sim/venue.hpp"

namespace mdpipe::sim::binance {

// The part after the '@' of a stream's name.
enum class Form { Ticker, BookTicker, Trade, AggTrade, Depth, Depth5, Depth10, Depth20 };

struct StreamType {
  std::string_view suffix;
  Form form;
  Kind kind;
};

// "depth20@100ms" and the like; nothing for a stream this simulator does not know.
std::optional<StreamType> stream_type(std::string_view suffix);

// `variant` of a Stream: the form and whether its times are in microseconds.
int variant_of(Form form, bool micros);

void append_frames(const Stream& stream, const Market& market, const MarketEvent& event,
                   std::vector<std::string>& frames);

// {"lastUpdateId":..,"bids":[..],"asks":[..]} with at most `levels` a side, best first.
std::string depth_snapshot(const Market& market, std::size_t levels);

}  // namespace mdpipe::sim::binance

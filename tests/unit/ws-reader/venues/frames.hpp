#pragma once
// What the tests of the exchange adapters share: a sink that keeps what it is given, and the frames of
// tests/data.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "ws-reader/venues/registry.hpp"

namespace mdpipe::venues {

using OwnedLevels = std::vector<std::pair<std::string, std::string>>;

// A copy of an event that outlives its frame; the body is that of its type.
struct Seen {
  EventType type{};
  std::string exchange, symbol;
  UnixNanos ts, recv;
  std::string price, size, id;
  Side side = Side::None;
  std::string bid, ask, last, high, low, volume;
  BookKind kind{};
  OwnedLevels bids, asks;
  std::optional<std::uint64_t> book_seq, first_book_seq;
  std::string mid_price;
};

class CollectingSink final : public EventSink {
 public:
  void on_event(const Event& event) override {
    Seen& seen = events.emplace_back();
    seen.type = event.type();
    seen.exchange = event.exchange;
    seen.symbol = event.symbol;
    seen.ts = event.ts;
    seen.recv = event.recv;
    std::visit([&seen](const auto& body) { copy(body, seen); }, event.body);
  }

  std::vector<Seen> events;

 private:
  static void copy(const Trade& trade, Seen& seen) {
    seen.price = trade.price;
    seen.size = trade.size;
    seen.id = trade.id;
    seen.side = trade.side;
  }
  static void copy(const Ticker& ticker, Seen& seen) {
    seen.bid = ticker.bid;
    seen.ask = ticker.ask;
    seen.last = ticker.last;
    seen.high = ticker.high;
    seen.low = ticker.low;
    seen.volume = ticker.volume;
  }
  static void copy(const FeedChange&, Seen&) {}  // no adapter makes one
  static void copy(const OrderBook& book, Seen& seen) {
    seen.kind = book.kind;
    seen.book_seq = book.book_seq;
    seen.first_book_seq = book.first_book_seq;
    seen.mid_price = book.mid_price;
    for (const Level& level : book.bids) seen.bids.emplace_back(level.price, level.size);
    for (const Level& level : book.asks) seen.asks.emplace_back(level.price, level.size);
  }
};

// A frame's result and events together.
struct Outcome {
  FrameResult result;
  std::vector<Seen> events;
};

inline constexpr UnixNanos kReceived{1'700'000'000'000'000'001};

inline Outcome read_frame(Adapter& adapter, std::string_view frame) {
  CollectingSink sink;
  const FrameResult result = adapter.on_frame(frame, kReceived, sink);
  return {result, std::move(sink.events)};
}

inline Outcome read_frame(std::string_view exchange, std::string_view frame) {
  return read_frame(*make_adapter(exchange), frame);
}

inline std::string load(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline std::string frame_file(std::string_view exchange, const std::string& name) {
  return load(std::filesystem::path(MDPIPE_TEST_DATA) / exchange / (name + ".json"));
}

// Every frame of tests/data for this exchange, by name.
inline std::vector<std::pair<std::string, std::string>> frame_files(std::string_view exchange) {
  std::vector<std::pair<std::string, std::string>> frames;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(MDPIPE_TEST_DATA) / exchange)) {
    frames.emplace_back(entry.path().stem().string(), load(entry.path()));
  }
  if (frames.empty()) throw std::runtime_error("no frames for " + std::string(exchange));
  return frames;
}

// The outcome of a frame that is expected to hold exactly one event.
inline Seen only_event(const Outcome& outcome) {
  if (outcome.result.kind != FrameKind::Events || outcome.events.size() != 1) {
    throw std::runtime_error("not one event: " + std::string(outcome.result.reason));
  }
  return outcome.events.front();
}

}  // namespace mdpipe::venues

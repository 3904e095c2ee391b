// Goal: the adapters find in real recordings exactly what an independent program counted there. Method: every
// frame of every recording listed in counts.json, of an exchange that has an adapter, goes through it; the
// numbers are compared.
#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "libshared/event/decimal.hpp"
#include "tests/recorded/frame_lines.hpp"
#include "ws-reader/venues/registry.hpp"

namespace mdpipe::venues {
namespace {

using Counts = std::map<std::string, std::uint64_t>;

std::filesystem::path folder() {
  const char* set = std::getenv("MDPIPE_RECORDED");
  return set != nullptr && *set != '\0' ? set : MDPIPE_RECORDED_DEFAULT;
}

// The folders are named for the company; ours for the adapter.
std::string exchange_of(const std::string& recording) {
  const std::string name = recording.substr(0, recording.find('/'));
  return name == "gmo-coin" ? "gmo" : name;
}

// Everything counts.json says about a recording, in the form of what we count.
struct Tally {
  Counts kinds, trades, tickers, snapshots, deltas;
  std::uint64_t frames = 0, trade_events = 0, levels = 0, zero_levels = 0;
  std::string first_ts, last_ts;
};

Counts read_counts(simdjson::dom::element object, const char* key) {
  Counts counts;
  simdjson::dom::object members;
  if (object[key].get(members) != simdjson::SUCCESS) return counts;
  for (const auto& [name, count] : members) counts[std::string(name)] = count.get_uint64();
  return counts;
}

std::uint64_t read_count(simdjson::dom::element object, const char* key) {
  std::uint64_t count = 0;
  return object[key].get(count) == simdjson::SUCCESS ? count : 0;
}

std::string read_time(simdjson::dom::element object, const char* key) {
  std::string_view text;
  return object[key].get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

Tally expected_of(const std::string& recording) {
  simdjson::dom::parser parser;
  const simdjson::dom::element all = parser.load((folder() / "counts.json").string());
  const simdjson::dom::element entry = all[recording];
  Tally tally;
  tally.kinds = read_counts(entry, "kinds");
  tally.trades = read_counts(entry, "trades_by_symbol");
  tally.tickers = read_counts(entry, "tickers_by_symbol");
  tally.snapshots = read_counts(entry, "snapshots_by_book");
  tally.deltas = read_counts(entry, "deltas_by_book");
  tally.frames = read_count(entry, "frames");
  tally.trade_events = read_count(entry, "trade_events");
  tally.levels = read_count(entry, "levels");
  tally.zero_levels = read_count(entry, "zero_levels");
  tally.first_ts = read_time(entry, "first_ts");
  tally.last_ts = read_time(entry, "last_ts");
  return tally;
}

class CountingSink final : public EventSink {
 public:
  explicit CountingSink(Tally& tally) : tally_(tally) {}

  void begin(std::string_view frame) {
    frame_ = frame;
    kind = "";
  }

  void on_event(const Event& event) override {
    if (event.ts != UnixNanos{}) {
      first_ = first_ == UnixNanos{} ? event.ts : std::min(first_, event.ts);
      last_ = std::max(last_, event.ts);
      tally_.first_ts = to_iso8601(first_);
      tally_.last_ts = to_iso8601(last_);
    }
    symbol_ = event.symbol;
    std::visit([this](const auto& body) { count(body); }, event.body);
  }

  std::string kind;                   // of the frame, as counts.json calls it
  std::vector<std::string> invented;  // number texts that do not stand in their frame

 private:
  void count(const Trade& trade) {
    kind = "trades";
    ++tally_.trades[symbol_];
    ++tally_.trade_events;
    for (const Decimal text : {trade.price, trade.size, trade.id}) expect_in_frame(text);
  }

  void count(const Ticker& ticker) {
    kind = "ticker";
    ++tally_.tickers[symbol_];
    for (const Decimal text : {ticker.bid, ticker.ask, ticker.last, ticker.high, ticker.low, ticker.volume})
      expect_in_frame(text);
  }

  void count(const FeedChange&) { kind = "feed"; }  // no adapter makes one
  void count(const OrderBook& book) {
    kind = book.kind == BookKind::Snapshot ? "book_snapshot" : "book_delta";
    ++(book.kind == BookKind::Snapshot ? tally_.snapshots : tally_.deltas)[symbol_];
    for (const Levels& side : {book.bids, book.asks}) {
      for (const Level& level : side) {
        ++tally_.levels;
        if (is_zero(level.size)) ++tally_.zero_levels;
        expect_in_frame(level.price);
        expect_in_frame(level.size);
      }
    }
  }

  void expect_in_frame(Decimal text) {
    if (frame_.find(text) == std::string_view::npos) invented.emplace_back(text);
  }

  Tally& tally_;
  std::string_view frame_;
  std::string symbol_;
  UnixNanos first_, last_;
};

std::string kind_of(const FrameResult& result, const CountingSink& sink) {
  switch (result.kind) {
    case FrameKind::Events:
      return sink.kind.empty() ? "no events" : sink.kind;
    case FrameKind::Control:
      return "control";
    case FrameKind::ApiError:
      return "error";
    case FrameKind::Other:
      return "other";
    case FrameKind::Rejected:
      return "rejected";
  }
  return "";
}

// The recordings of exchanges that have an adapter; one empty name if there is no folder of recordings.
std::vector<std::string> recordings() {
  simdjson::dom::parser parser;
  simdjson::dom::object all;
  std::vector<std::string> names;
  if (parser.load((folder() / "counts.json").string()).get(all) != simdjson::SUCCESS) return {""};
  for (const auto& member : all) {
    const std::string name(member.key);
    if (make_adapter(exchange_of(name)) != nullptr) names.push_back(name);
  }
  return names;
}

std::string test_name(const testing::TestParamInfo<std::string>& recording) {
  std::string name = recording.param.empty() ? "none" : recording.param;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

class RecordedCounts : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Recordings, RecordedCounts, testing::ValuesIn(recordings()), test_name);

TEST_P(RecordedCounts, are_those_of_an_independent_program) {
  if (GetParam().empty())
    GTEST_SKIP() << "no recordings at " << folder() << "; MDPIPE_RECORDED names their folder";
  const Tally expected = expected_of(GetParam());
  const auto adapter = make_adapter(exchange_of(GetParam()));
  Tally tally;
  CountingSink sink(tally);
  std::uint64_t line = 0;
  recorded::for_each_line(folder() / GetParam(), [&](std::string_view frame) {
    ++line;
    sink.begin(frame);
    const FrameResult result = adapter->on_frame(frame, UnixNanos{1}, sink);
    EXPECT_NE(result.kind, FrameKind::Rejected) << "line " << line << ": " << result.reason;
    ++tally.frames;
    ++tally.kinds[kind_of(result, sink)];
  });
  EXPECT_EQ(tally.frames, expected.frames);
  EXPECT_EQ(tally.kinds, expected.kinds);
  EXPECT_EQ(tally.trades, expected.trades);
  EXPECT_EQ(tally.trade_events, expected.trade_events);
  EXPECT_EQ(tally.tickers, expected.tickers);
  EXPECT_EQ(tally.snapshots, expected.snapshots);
  EXPECT_EQ(tally.deltas, expected.deltas);
  EXPECT_EQ(tally.levels, expected.levels);
  EXPECT_EQ(tally.zero_levels, expected.zero_levels);
  EXPECT_EQ(tally.first_ts, expected.first_ts);
  EXPECT_EQ(tally.last_ts, expected.last_ts);
  EXPECT_EQ(sink.invented, std::vector<std::string>{}) << "number texts that do not stand in their frame";
}

}  // namespace
}  // namespace mdpipe::venues

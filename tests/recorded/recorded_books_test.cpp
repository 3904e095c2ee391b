// Goal: real books of a real exchange are taken as whole, delta by delta, and end at the best prices that an
// independent program found. Method: the recordings of exchanges with deltas go through adapter and guard,
// with the snapshots that were fetched in the same run given back when they came; a consumer's book is kept
// from what is published.
#include <gtest/gtest.h>
#include <simdjson.h>

#include <cstdlib>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "tests/recorded/frame_lines.hpp"
#include "ws-reader/books/book_guard.hpp"
#include "ws-reader/venues/registry.hpp"

namespace mdpipe::reader {
namespace {

using Counts = std::map<std::string, std::uint64_t>;
using Top = std::map<std::string, std::vector<std::string>>;  // bid price, bid size, ask price, ask size

std::filesystem::path folder() {
  const char* set = std::getenv("MDPIPE_RECORDED");
  return set != nullptr && *set != '\0' ? set : MDPIPE_RECORDED_DEFAULT;
}

// "x.jsonl", gzipped or not.
std::filesystem::path either(const std::string& name) {
  const auto plain = folder() / name;
  return std::filesystem::exists(plain) ? plain : folder() / (name + ".gz");
}

struct Fetched {
  double received = 0;
  std::string symbol, body;
};

std::deque<Fetched> read_fetched(const std::string& recording, const std::string& only_symbol) {
  std::deque<Fetched> all;
  simdjson::dom::parser parser;
  recorded::for_each_line(either(recording + ".rest.jsonl"), [&](std::string_view line) {
    const simdjson::dom::element entry = parser.parse(line.data(), line.size());
    const std::string url(entry["url"].get_string().value());
    const std::size_t at = url.find("symbol=");
    const std::string symbol =
        at == std::string::npos ? only_symbol : url.substr(at + 7, url.find('&', at) - at - 7);
    all.push_back({entry["recv"].get_double(), symbol, simdjson::minify(entry["body"].value())});
  });
  return all;
}

std::vector<double> read_times(const std::string& recording) {
  std::vector<double> times;
  recorded::for_each_line(either(recording + ".recv"),
                          [&](std::string_view line) { times.push_back(std::stod(std::string(line))); });
  return times;
}

// Adapter, guard and a consumer.
class Passage final : private venues::EventSink, private BookSink {
 public:
  explicit Passage(const std::string& exchange)
      : adapter_(venues::make_adapter(exchange)), guard_(adapter_->profile().books, *this) {}

  void frame(std::string_view frame) { adapter_->on_frame(frame, UnixNanos{1}, *this); }
  // An answer counts from when it was asked for and had come.
  void answer_until(double time, std::deque<Fetched>& fetched) {
    while (!fetched.empty() && fetched.front().received <= time &&
           asked_.count(fetched.front().symbol) != 0) {
      is_fetched_ = true;
      adapter_->read_book_snapshot(fetched.front().body, fetched.front().symbol, UnixNanos{1}, *this);
      is_fetched_ = false;
      fetched.pop_front();
    }
  }

  [[nodiscard]] std::uint64_t held() const { return guard_.held_events(); }
  [[nodiscard]] Top top() const {
    Top top;
    for (const auto& [symbol, book] : consumers_) {
      const auto bid = book.best_bid();
      const auto ask = book.best_ask();
      if (bid && ask)
        top[symbol] = {std::string(bid->price), std::string(bid->size), std::string(ask->price),
                       std::string(ask->size)};
    }
    return top;
  }

  Counts dropped;
  std::vector<std::string> gaps;
  std::uint64_t deltas = 0, snapshots = 0;

 private:
  void on_event(const Event& event) override {
    if (event.type() != EventType::OrderBook) return;
    if (is_fetched_) return guard_.on_rest_snapshot(event, {});
    guard_.on_book(event, {});
  }
  void publish(const Event& event, Moment) override {
    const auto& book = std::get<OrderBook>(event.body);
    ++(book.kind == BookKind::Delta ? deltas : snapshots);
    EXPECT_TRUE(consumers_[std::string(event.symbol)].apply(book));
  }
  void drop(std::string_view, DropReason why, std::uint64_t count) override {
    dropped[std::string(to_string(why))] += count;
  }
  void gap(std::string_view symbol, std::string_view reason, std::optional<std::uint64_t>, Moment) override {
    gaps.push_back(std::string(symbol) + ": " + std::string(reason));
  }
  void recovered(std::string_view, Moment) override {}
  void request_snapshot(std::string_view symbol) override { ++asked_[std::string(symbol)]; }
  void resubscribe(std::string_view symbol) override {
    gaps.push_back(std::string(symbol) + ": resubscribe");
  }

  std::unique_ptr<venues::Adapter> adapter_;
  BookGuard guard_;
  bool is_fetched_ = false;
  Counts asked_;
  std::map<std::string, KeptBook> consumers_;
};

struct Expected {
  Counts checks;
  Top top;
};

Expected expected_of(const std::string& recording) {
  simdjson::dom::parser parser;
  const simdjson::dom::element entry = parser.load((folder() / "counts.json").string())[recording];
  Expected expected;
  for (const auto& [name, count] : simdjson::dom::object(entry["checks"]))
    expected.checks[std::string(name)] = count.get_uint64();
  for (const auto& [symbol, sides] : simdjson::dom::object(entry["top"])) {
    auto& row = expected.top[std::string(symbol)];
    for (const char* side : {"bid", "ask"}) {
      for (const simdjson::dom::element text : simdjson::dom::array(sides[side]))
        row.emplace_back(std::string_view(text));
    }
  }
  return expected;
}

class RecordedBooks : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(folder() / "counts.json"))
      GTEST_SKIP() << "no recordings at " << folder() << "; MDPIPE_RECORDED names their folder";
  }
};

class RecordedBitflyer : public RecordedBooks {};
INSTANTIATE_TEST_SUITE_P(Recordings, RecordedBitflyer,
                         testing::Values("bitflyer/bitflyer_20210417.jsonl",
                                         "bitflyer/bitflyer_20210722.jsonl"));

TEST_P(RecordedBitflyer, every_delta_after_its_snapshot_agrees_with_its_mid_price) {
  const Expected expected = expected_of(GetParam());
  Passage run("bitflyer");
  recorded::for_each_line(folder() / GetParam(), [&](std::string_view frame) { run.frame(frame); });
  EXPECT_EQ(run.gaps, std::vector<std::string>{});
  EXPECT_EQ(run.dropped, (Counts{{"before_snapshot", expected.checks.at("delta_before_first_snapshot")}}));
  EXPECT_EQ(run.deltas, expected.checks.at("mid_price_equals_book_mid"));
  EXPECT_EQ(run.snapshots, 60U);
  EXPECT_EQ(run.top(), expected.top);
}

class RecordedBinance : public RecordedBooks {};
INSTANTIATE_TEST_SUITE_P(Recordings, RecordedBinance,
                         testing::Values("binance/binance_4sym_20211012.jsonl",
                                         "binance/binance_btcusdt_20240808.jsonl.gz"));

TEST_P(RecordedBinance, every_delta_after_its_snapshot_follows_the_one_before) {
  const std::string recording = GetParam();
  const std::string stem = recording.substr(0, recording.find(".jsonl"));
  const Expected expected = expected_of(recording);
  std::deque<Fetched> fetched = read_fetched(stem, "BTCUSDT");
  const std::size_t snapshots = fetched.size();
  const std::vector<double> times = read_times(stem);
  Passage run("binance");
  std::size_t line = 0;
  recorded::for_each_line(folder() / recording, [&](std::string_view frame) {
    run.answer_until(times.at(line++), fetched);
    run.frame(frame);
  });
  run.answer_until(1e18, fetched);
  EXPECT_TRUE(fetched.empty());
  EXPECT_EQ(run.gaps, std::vector<std::string>{});
  EXPECT_EQ(run.held(), 0U);
  EXPECT_EQ(run.dropped,
            (Counts{{"stale_delta", expected.checks.at("deltas at or before the REST snapshot")}}));
  EXPECT_EQ(run.deltas, expected.checks.at("deltas applied"));
  EXPECT_EQ(run.snapshots, snapshots);
  EXPECT_EQ(run.top(), expected.top);
}

}  // namespace
}  // namespace mdpipe::reader

#pragma once
// What the tests of books share: order book events written in short form, and a sink that records the calls
// of a guard.
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "ws-reader/books/book_guard.hpp"

namespace mdpipe::reader {

using Pairs = std::vector<std::pair<std::string, std::string>>;

// An order book event with what its views point to.
struct OwnedBook {
  BookKind kind = BookKind::Snapshot;
  Pairs bids, asks;
  std::optional<std::uint64_t> first{}, last{};
  std::string mid{};
  std::string symbol = "X";

  [[nodiscard]] Event event() const {
    OrderBook book;
    book.kind = kind;
    book.bids = view(bids, bid_levels);
    book.asks = view(asks, ask_levels);
    book.book_seq = last;
    book.first_book_seq = first;
    book.mid_price = mid;
    return {"test", symbol, UnixNanos{5}, UnixNanos{7}, book};
  }

  static Levels view(const Pairs& pairs, std::vector<Level>& levels) {
    levels.clear();
    for (const auto& [price, size] : pairs) levels.push_back({price, size});
    return {levels.data(), levels.size()};
  }
  mutable std::vector<Level> bid_levels{}, ask_levels{};
};

inline OwnedBook snapshot(Pairs bids, Pairs asks, std::optional<std::uint64_t> last = {}) {
  return {BookKind::Snapshot, std::move(bids), std::move(asks), {}, last};
}
inline OwnedBook delta(Pairs bids, Pairs asks, std::string mid = "") {
  return {BookKind::Delta, std::move(bids), std::move(asks), {}, {}, std::move(mid)};
}
inline OwnedBook numbered(std::uint64_t first, std::uint64_t last, Pairs bids = {}, Pairs asks = {}) {
  return {BookKind::Delta, std::move(bids), std::move(asks), first, last};
}

// "publish snapshot 9", "drop stale_delta 2", "gap: crossed", "recovered", "fetch", "resubscribe".
class WritingSink final : public BookSink {
 public:
  void publish(const Event& event, Moment) override {
    const auto& book = std::get<OrderBook>(event.body);
    std::string line = book.kind == BookKind::Snapshot ? "publish snapshot" : "publish delta";
    if (book.book_seq) line += " " + std::to_string(*book.book_seq);
    said.push_back(std::move(line));
    ++published;
    if (!kept.apply(book)) said.emplace_back("cannot be kept");
  }
  void drop(std::string_view, DropReason why, std::uint64_t count) override {
    said.push_back("drop " + std::string(to_string(why)) + " " + std::to_string(count));
    dropped += count;
  }
  void gap(std::string_view, std::string_view reason, std::optional<std::uint64_t>, Moment) override {
    said.push_back("gap: " + std::string(reason));
  }
  void recovered(std::string_view, Moment) override { said.emplace_back("recovered"); }
  void request_snapshot(std::string_view symbol) override {
    said.push_back(symbol == "X" ? "fetch" : "fetch " + std::string(symbol));
  }
  void resubscribe(std::string_view) override { said.emplace_back("resubscribe"); }

  // What was said since the last call.
  std::vector<std::string> take() { return std::exchange(said, {}); }

  std::vector<std::string> said;
  std::uint64_t published = 0, dropped = 0;
  KeptBook kept;  // as a consumer would, of one symbol
};

}  // namespace mdpipe::reader

#pragma once
// An exchange whose frames are short words, for tests of what comes after the adapter.
#include <algorithm>
#include <string_view>
#include <vector>

#include "tests/unit/ws-reader/outbox/outbox_support.hpp"
#include "ws-reader/venues/adapter.hpp"

namespace mdpipe::reader {

// "BTC ETH X" is a frame with a trade of each symbol, "book 7 8" the book of BTC with that bid and ask; other
// frames are what their first word says. A book fetched over HTTP has the same form.
class ScriptedAdapter final : public venues::Adapter {
 public:
  [[nodiscard]] const venues::Profile& profile() const override { return profile_; }
  [[nodiscard]] std::vector<venues::Request> subscribe(const std::vector<venues::Subscription>&,
                                                       std::uint64_t) const override {
    return {};
  }
  venues::FrameResult on_frame(std::string_view frame, UnixNanos, venues::EventSink& sink) override {
    if (frame == "control") return venues::FrameResult::control();
    if (frame == "other") return venues::FrameResult::other();
    if (frame == "error") return venues::FrameResult::api_error();
    if (frame == "bad") return venues::FrameResult::rejected("no sense");
    if (frame.substr(0, 5) == "book ") return read_book(frame.substr(5), "BTC", sink);
    while (!frame.empty()) {
      const std::size_t end = std::min(frame.find(' '), frame.size());
      Event event = trade();
      event.symbol = frame.substr(0, end);
      sink.on_event(event);
      frame.remove_prefix(std::min(end + 1, frame.size()));
    }
    return venues::FrameResult::events();
  }

  venues::FrameResult read_book_snapshot(std::string_view body, std::string_view symbol, UnixNanos,
                                         venues::EventSink& sink) override {
    if (body == "bad") return venues::FrameResult::rejected("no book");
    return read_book(body, symbol, sink);
  }

  void seed_books() { profile_.books = venues::BookRecipe::RestSeeded; }

 private:
  static venues::FrameResult read_book(std::string_view text, std::string_view symbol,
                                       venues::EventSink& sink) {
    const Level bid{text.substr(0, 1), "1"};
    const Level ask{text.substr(2, 1), "1"};
    OrderBook book;
    book.kind = text.size() > 3 ? BookKind::Delta : BookKind::Snapshot;
    book.bids = {&bid, 1};
    book.asks = {&ask, 1};
    book.book_seq = 1;
    sink.on_event({"test", symbol, UnixNanos{}, UnixNanos{1}, book});
    return venues::FrameResult::events();
  }

  venues::Profile profile_{"test", "wss://test", {}, false, {}};
};

}  // namespace mdpipe::reader

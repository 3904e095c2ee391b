#pragma once
// Copies of one book's deltas, in order, that wait for a snapshot. A plain queue: BookGuard decides when to
// publish or drop them.
#include <cstdint>
#include <list>
#include <string>
#include <vector>

#include "libshared/event/event.hpp"

namespace mdpipe::reader {

class HeldDeltas {
 public:
  // The event's body is an order book.
  void push(const Event& event);
  // The oldest delta as it was received. Its views, except exchange and symbol, are valid until the next
  // call. The queue must not be empty.
  Event front(std::string_view exchange, std::string_view symbol);
  void pop();
  void clear();

  [[nodiscard]] bool empty() const { return held_.empty(); }
  [[nodiscard]] std::size_t size() const { return held_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }  // approximate memory

 private:
  struct Span {
    std::uint8_t price_chars, size_chars;
  };
  struct Held {
    UnixNanos ts, recv;
    OrderBook book;           // without its levels
    std::string text;         // of all levels, one after the other: price, size, price, ...
    std::vector<Span> spans;  // bids, then asks
    std::size_t bids = 0;

    [[nodiscard]] std::size_t bytes() const {
      return sizeof(Held) + text.size() + spans.size() * sizeof(Span);
    }
  };

  std::list<Held> held_;  // an empty deque takes half a kilobyte, and most books hold none
  std::size_t bytes_ = 0;
  std::vector<Level> levels_;  // of the delta that front() returned
};

}  // namespace mdpipe::reader

#include "ws-reader/books/held_deltas.hpp"

namespace mdpipe::reader {

void HeldDeltas::push(const Event& event) {
  const auto& book = std::get<OrderBook>(event.body);
  Held& held = held_.emplace_back();
  held.ts = event.ts;
  held.recv = event.recv;
  held.book = book;
  held.book.bids = held.book.asks = {};
  held.book.mid_price = {};  // no exchange gives both numbers and a mid price
  held.bids = book.bids.size;
  for (const Levels& side : {book.bids, book.asks}) {
    for (const Level& level : side) {
      held.spans.push_back(
          {static_cast<std::uint8_t>(level.price.size()), static_cast<std::uint8_t>(level.size.size())});
      held.text.append(level.price).append(level.size);
    }
  }
  bytes_ += held.bytes();
}

Event HeldDeltas::front(std::string_view exchange, std::string_view symbol) {
  const Held& held = held_.front();
  levels_.clear();
  std::string_view rest = held.text;
  const auto take = [&rest](std::size_t chars) {
    const std::string_view taken = rest.substr(0, chars);
    rest.remove_prefix(chars);
    return taken;
  };
  for (const Span& span : held.spans) {
    const std::string_view price = take(span.price_chars);
    levels_.push_back({price, take(span.size_chars)});
  }
  OrderBook book = held.book;
  book.bids = {levels_.data(), held.bids};
  book.asks = {levels_.data() + held.bids, levels_.size() - held.bids};
  return {exchange, symbol, held.ts, held.recv, book};
}

void HeldDeltas::pop() {
  bytes_ -= held_.front().bytes();
  held_.pop_front();
}

void HeldDeltas::clear() {
  held_.clear();
  bytes_ = 0;
}

}  // namespace mdpipe::reader

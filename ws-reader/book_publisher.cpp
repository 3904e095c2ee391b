#include "ws-reader/book_publisher.hpp"

#include <utility>

namespace mdpipe::reader {

BookPublisher::BookPublisher(Parts parts, BookCallbacks callbacks)
    : parts_(parts), callbacks_(std::move(callbacks)) {}

// A book that comes as deltas is live once its snapshot was written.
void BookPublisher::publish(const Event& event, Moment now) {
  parts_.writer.write(event, now);
  const auto* book = std::get_if<OrderBook>(&event.body);
  if (parts_.feeds != nullptr && parts_.books_have_deltas && book != nullptr &&
      book->kind == BookKind::Snapshot)
    parts_.feeds->end_gap(EventType::OrderBook, event.symbol, now);
}

void BookPublisher::drop(std::string_view symbol, DropReason why, std::uint64_t count) {
  parts_.metrics.book_dropped(symbol, why, count);
}

void BookPublisher::gap(std::string_view symbol, std::string_view reason, std::optional<std::uint64_t> lost,
                        Moment now) {
  parts_.metrics.book_gap(symbol, reason);
  if (parts_.feeds == nullptr) return;
  if (lost) parts_.feeds->on_gap(EventType::OrderBook, symbol, reason, {{}, {}, lost}, now);
  parts_.feeds->begin_gap(EventType::OrderBook, symbol, reason, now);
}

void BookPublisher::recovered(std::string_view symbol, Moment now) {
  parts_.metrics.book_recovered(symbol);
  if (parts_.feeds != nullptr) parts_.feeds->end_gap(EventType::OrderBook, symbol, now);
}

}  // namespace mdpipe::reader

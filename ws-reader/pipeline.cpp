#include "ws-reader/pipeline.hpp"

#include <utility>

namespace mdpipe::reader {

Pipeline::Pipeline(Parts parts, const std::vector<std::string>& symbols, std::function<void()> on_event)
    : parts_(parts), wanted_(symbols.size()), after_event_(std::move(on_event)) {
  for (const auto& symbol : symbols) wanted_.find_or_add(symbol);
}

void Pipeline::check_books(BookHooks hooks) {
  hooks_ = std::move(hooks);
  BookSink& sink = *this;  // only we may see ourselves so
  books_.emplace(parts_.adapter.profile().books, sink);
}

venues::FrameResult Pipeline::on_frame(std::string_view frame, UnixNanos received, SteadyTime now) {
  frame_bytes_left_ = frame.size();
  now_ = now;
  const venues::FrameResult result = parts_.adapter.on_frame(frame, received, *this);
  count(result);
  parts_.metrics.frame(result, frame);
  return result;
}

venues::FrameResult Pipeline::on_book_snapshot(std::string_view symbol, std::string_view body,
                                               UnixNanos received, SteadyTime now) {
  frame_bytes_left_ = body.size();
  now_ = now;
  is_fetched_ = true;
  const venues::FrameResult result = parts_.adapter.read_book_snapshot(body, symbol, received, *this);
  is_fetched_ = false;
  return result;
}

void Pipeline::on_book_snapshot_failed(std::string_view symbol, SteadyTime now) {
  if (books_) books_->on_rest_failed(symbol, now);
}

void Pipeline::on_disconnected() {
  if (books_) books_->on_disconnected();
}

void Pipeline::count(const venues::FrameResult& result) {
  ++totals_.frames;
  switch (result.kind) {
    case venues::FrameKind::Events:
      break;
    case venues::FrameKind::Control:
      ++totals_.control;
      break;
    case venues::FrameKind::ApiError:
      ++totals_.api_errors;
      break;
    case venues::FrameKind::Other:
      ++totals_.other;
      break;
    case venues::FrameKind::Rejected:
      ++totals_.rejected;
      break;
  }
}

void Pipeline::on_event(const Event& event) {
  if (wanted_.size() > 0 && !wanted_.find(event.symbol)) {
    ++totals_.unknown_symbols;
    return parts_.metrics.unknown_symbol(event.symbol);
  }
  ++totals_.events;
  parts_.metrics.event(event, std::exchange(frame_bytes_left_, 0));
  if (!books_ || event.type() != EventType::OrderBook) return publish(event);
  if (is_fetched_) return books_->on_rest_snapshot(event, now_);
  books_->on_book(event, now_);
}

void Pipeline::publish(const Event& event) {
  parts_.outbox.append(event);
  if (parts_.tap != nullptr) parts_.tap->offer(event, parts_.outbox.last_seq());
  after_event_();
}

void Pipeline::drop(std::string_view symbol, BookDrop why, std::uint64_t count) {
  parts_.metrics.book_dropped(symbol, why, count);
}

void Pipeline::gap(std::string_view symbol, std::string_view reason, std::optional<std::uint64_t> lost) {
  parts_.metrics.book_gap(symbol, reason);
  hooks_.on_gap(symbol, reason, lost);
}

void Pipeline::recovered(std::string_view symbol) {
  parts_.metrics.book_recovered(symbol);
  hooks_.on_recovered(symbol);
}

}  // namespace mdpipe::reader

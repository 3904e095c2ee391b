#include "ws-reader/pipeline.hpp"

#include <utility>

namespace mdpipe::reader {

Pipeline::Pipeline(Parts parts, const std::vector<std::string>& symbols, std::function<void()> on_event)
    : parts_(parts), wanted_(symbols), after_event_(std::move(on_event)) {}

void Pipeline::check_books(BookHooks hooks) {
  hooks_ = std::move(hooks);
  BookSink& sink = *this;  // only we may see ourselves so
  books_.emplace(parts_.adapter.profile().books, sink);
}

venues::FrameResult Pipeline::on_frame(std::string_view frame, UnixNanos received, SteadyTime now) {
  frame_bytes_left_ = frame.size();
  received_ = received;
  now_ = now;
  const venues::FrameResult result = parts_.adapter.on_frame(frame, received, *this);
  count(result);
  parts_.metrics.frame(result, frame);
  return result;
}

venues::FrameResult Pipeline::on_book_snapshot(std::string_view symbol, std::string_view body,
                                               UnixNanos received, SteadyTime now) {
  frame_bytes_left_ = body.size();
  received_ = received;
  now_ = now;
  is_fetched_ = true;
  const venues::FrameResult result = parts_.adapter.read_book_snapshot(body, symbol, received, *this);
  is_fetched_ = false;
  return result;
}

void Pipeline::on_book_snapshot_failed(std::string_view symbol, SteadyTime now) {
  now_ = now;
  if (books_) books_->on_rest_failed(symbol, now);
}

void Pipeline::on_disconnected() {
  if (books_) books_->on_disconnected();
}

// What was held for Redis goes first: behind the last word about a feed nothing of it may come.
void Pipeline::end_feeds(const std::vector<venues::Subscription>& feeds, Moment now) {
  release_conflated(now, true);
  for (const auto& feed : feeds) {
    wanted_.remove(feed);
    if (books_ && feed.channel == EventType::OrderBook) books_->forget(feed.symbol);
  }
}

void Pipeline::begin_feeds(const std::vector<venues::Subscription>& feeds) {
  for (const auto& feed : feeds) wanted_.add(feed);
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
  switch (wanted_.judge(event.type(), event.symbol)) {
    case WantedFeeds::Verdict::Wanted:
      break;
    case WantedFeeds::Verdict::NoLonger:
      ++totals_.no_longer_wanted;
      return;
    case WantedFeeds::Verdict::Unknown:
      ++totals_.unknown_symbols;
      return parts_.metrics.unknown_symbol(event.symbol);
  }
  ++totals_.events;
  parts_.metrics.event(event, std::exchange(frame_bytes_left_, 0));
  if (books_ && event.type() == EventType::OrderBook) return on_order_book(event);
  if (parts_.feeds != nullptr) parts_.feeds->on_data(event.type(), event.symbol, {event.recv, now_});
  keep(event, {received_, now_});
}

// The feed of a book is not live before its snapshot, though its deltas come.
void Pipeline::on_order_book(const Event& event) {
  if (parts_.feeds != nullptr) {
    const Moment now{event.recv, now_};
    if (has_deltas() && books_->whole_book(event.symbol) == nullptr)
      parts_.feeds->begin_gap(EventType::OrderBook, event.symbol, "the book waits for its snapshot", now);
    parts_.feeds->on_data(EventType::OrderBook, event.symbol, now);
  }
  if (is_fetched_) return books_->on_rest_snapshot(event, now_);
  books_->on_book(event, now_);
}

void Pipeline::publish(const Event& event) {
  keep(event, {received_, now_});
  const auto* book = std::get_if<OrderBook>(&event.body);
  if (parts_.feeds != nullptr && has_deltas() && book != nullptr && book->kind == BookKind::Snapshot)
    parts_.feeds->end_gap(EventType::OrderBook, event.symbol, {received_, now_});
}

void Pipeline::keep(const Event& event, Moment now) {
  if (parts_.conflator != nullptr) {
    release_conflated(now);
    if (conflate(event, now.steady)) return;
  }
  parts_.outbox.append(event, now);
  if (parts_.tap != nullptr) parts_.tap->offer(event, parts_.outbox.last_seq());
  after_event_();
}

// True where the event waits for Redis to catch up, or gave way to a newer one. Where books come as deltas
// the newest whole one is the guard's; without the guard nobody has it, and every event is kept.
bool Pipeline::conflate(const Event& event, SteadyTime now) {
  bool is_kept_elsewhere = false;
  if (event.type() == EventType::OrderBook && has_deltas()) {
    if (!books_ || books_->whole_book(event.symbol) == nullptr) return false;
    is_kept_elsewhere = true;
  }
  bool replaced = false;
  if (!parts_.conflator->hold(event, parts_.outbox.oldest_age(now), is_kept_elsewhere, replaced))
    return false;
  if (replaced) parts_.metrics.conflated(event.type(), event.symbol, 1);
  return true;
}

void Pipeline::release_conflated(Moment now, bool at_once) {
  if (parts_.conflator == nullptr || parts_.conflator->held() == 0) return;
  const auto age = at_once ? std::chrono::nanoseconds(0) : parts_.outbox.oldest_age(now.steady);
  parts_.conflator->release(age, [this, now](const Event& event, bool is_kept_elsewhere) {
    if (is_kept_elsewhere) return keep_whole_book(event, now);
    parts_.outbox.append(event, now);
    after_event_();
  });
}

void Pipeline::keep_whole_book(const Event& newest, Moment now) {
  KeptBook* book = books_->whole_book(newest.symbol);
  if (book == nullptr) return parts_.metrics.conflated(EventType::OrderBook, newest.symbol, 1);
  Event snapshot = newest;
  OrderBook levels = book->levels();
  levels.book_seq = std::get<OrderBook>(newest.body).book_seq;
  snapshot.body = levels;
  parts_.outbox.append(snapshot, now);
  after_event_();
}

void Pipeline::drop(std::string_view symbol, DropReason why, std::uint64_t count) {
  parts_.metrics.book_dropped(symbol, why, count);
}

void Pipeline::gap(std::string_view symbol, std::string_view reason, std::optional<std::uint64_t> lost) {
  parts_.metrics.book_gap(symbol, reason);
  if (parts_.feeds == nullptr) return;
  const Moment now{received_, now_};
  if (lost) parts_.feeds->on_gap(EventType::OrderBook, symbol, reason, {{}, {}, lost}, now);
  parts_.feeds->begin_gap(EventType::OrderBook, symbol, reason, now);
}

void Pipeline::recovered(std::string_view symbol) {
  parts_.metrics.book_recovered(symbol);
  if (parts_.feeds != nullptr) parts_.feeds->end_gap(EventType::OrderBook, symbol, {received_, now_});
}

}  // namespace mdpipe::reader

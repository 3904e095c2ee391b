#include "ws-reader/event_writer.hpp"

#include <utility>

namespace mdpipe::reader {

EventWriter::EventWriter(Parts parts, std::function<void()> schedule_flush)
    : parts_(parts), schedule_flush_(std::move(schedule_flush)) {}

void EventWriter::write(const Event& event, Moment now) {
  if (parts_.conflator != nullptr) {
    release_held(now);
    if (hold(event, now.steady)) return;
  }
  append(event, now);
  if (parts_.tap != nullptr) parts_.tap->offer(event, parts_.outbox.last_seq());
}

void EventWriter::append(const Event& event, Moment now) {
  parts_.outbox.append(event, now);
  if (!std::exchange(is_flush_due_, true)) schedule_flush_();
}

// True if the event waits for Redis to catch up. Of a book that comes as deltas only the guard has the whole.
bool EventWriter::hold(const Event& event, SteadyTime now) {
  bool is_kept_elsewhere = false;
  if (event.type() == EventType::OrderBook && parts_.books_have_deltas) {
    if (guard_ == nullptr || guard_->whole_book(event.symbol) == nullptr) return false;
    is_kept_elsewhere = true;
  }
  bool replaced = false;
  if (!parts_.conflator->hold(event, parts_.outbox.oldest_age(now), is_kept_elsewhere, replaced))
    return false;
  if (replaced) parts_.metrics.conflated(event.type(), event.symbol, 1);
  return true;
}

void EventWriter::release_held(Moment now) {
  if (held_events() > 0) release(parts_.outbox.oldest_age(now.steady), now);
}

void EventWriter::release_all_held(Moment now) {
  if (held_events() > 0) release(std::chrono::nanoseconds(0), now);
}

void EventWriter::release(std::chrono::nanoseconds backlog_age, Moment now) {
  parts_.conflator->release(backlog_age, [this, now](const Event& event, bool is_kept_elsewhere) {
    if (is_kept_elsewhere) return append_whole_book(event, now);
    append(event, now);
  });
}

void EventWriter::append_whole_book(const Event& newest, Moment now) {
  KeptBook* book = guard_->whole_book(newest.symbol);
  if (book == nullptr) return parts_.metrics.conflated(EventType::OrderBook, newest.symbol, 1);
  Event snapshot = newest;
  OrderBook levels = book->levels();
  levels.book_seq = std::get<OrderBook>(newest.body).book_seq;
  snapshot.body = levels;
  append(snapshot, now);
}

}  // namespace mdpipe::reader

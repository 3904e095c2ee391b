#pragma once
// The last step of every event in ws-reader, an exchange's or a change of a feed: the outbox numbers and
// keeps the event, the tap offers it to other programs, and a flush at the end of the loop turn sends it.
// With --when-behind=latest the conflator may hold the event first, until Redis has caught up.
#include <functional>

#include "libshared/event/event.hpp"
#include "libshared/time/time.hpp"
#include "ws-reader/books/book_guard.hpp"
#include "ws-reader/link/tap.hpp"
#include "ws-reader/outbox/conflator.hpp"
#include "ws-reader/outbox/outbox.hpp"
#include "ws-reader/reader_metrics.hpp"

namespace mdpipe::reader {

class EventWriter {
 public:
  struct Parts {
    Outbox& outbox;
    ReaderMetrics& metrics;
    Tap* tap = nullptr;              // null: no tap
    Conflator* conflator = nullptr;  // null: nothing is held
    bool books_have_deltas = false;  // the exchange sends changes of books, not only whole books
  };

  // Borrows the parts, which must outlive the writer. `schedule_flush` is called after an event was written,
  // unless a flush is due already.
  EventWriter(Parts parts, std::function<void()> schedule_flush);

  // Books that come as deltas are held as the guard's newest whole book. Without a guard they are never held.
  // Borrows the guard.
  void hold_books_of(BookGuard& guard) { guard_ = &guard; }

  void write(const Event& event, Moment now);
  // Writes the held events if Redis has caught up. Call a few times a second while events are held.
  void release_held(Moment now);
  // Writes the held events now.
  void release_all_held(Moment now);

  // Call when the flush begins: the next event schedules a new one.
  void on_flush() { is_flush_due_ = false; }
  // True between the first event of a loop turn and its flush.
  [[nodiscard]] bool is_flush_due() const { return is_flush_due_; }
  [[nodiscard]] std::uint64_t held_events() const {
    return parts_.conflator == nullptr ? 0 : parts_.conflator->held();
  }

 private:
  void append(const Event& event, Moment now);
  bool hold(const Event& event, SteadyTime now);
  void release(std::chrono::nanoseconds backlog_age, Moment now);
  void append_whole_book(const Event& newest, Moment now);

  Parts parts_;
  std::function<void()> schedule_flush_;
  BookGuard* guard_ = nullptr;
  bool is_flush_due_ = false;
};

}  // namespace mdpipe::reader

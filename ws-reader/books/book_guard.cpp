#include "ws-reader/books/book_guard.hpp"

#include <limits>

namespace mdpipe::reader {

using venues::BookRecipe;

// The symbols come from the subscriptions or from standard input; their number has no limit here.
BookGuard::BookGuard(BookRecipe recipe, BookSink& sink, BookLimits limits)
    : recipe_(recipe), sink_(sink), limits_(limits), symbols_(std::numeric_limits<std::uint32_t>::max()) {}

BookGuard::Book& BookGuard::book_of(std::string_view symbol) {
  const std::uint32_t id = *symbols_.find_or_add(symbol);
  if (id == books_.size()) {
    Book& book = books_.emplace_back();
    book.symbol = symbols_.name(id);
    if (recipe_ != BookRecipe::FullFrames) book.kept = std::make_unique<KeptBook>(limits_.levels_max);
  }
  return books_[id];
}

KeptBook* BookGuard::whole_book(std::string_view symbol) {
  const auto id = symbols_.find(symbol);
  return id && books_[*id].state == State::Whole ? books_[*id].kept.get() : nullptr;
}

void BookGuard::on_book(const Event& event, Moment now) {
  exchange_ = event.exchange;
  Book& book = book_of(event.symbol);
  const bool is_snapshot = std::get<OrderBook>(event.body).kind == BookKind::Snapshot;
  switch (recipe_) {
    case BookRecipe::FullFrames:
      if (!is_snapshot) return sink_.drop(event.symbol, DropReason::BeforeSnapshot, 1);
      return on_full_frame(book, event, now);
    case BookRecipe::SnapshotChannel:
      return is_snapshot ? on_channel_snapshot(book, event, now) : on_channel_delta(book, event, now);
    case BookRecipe::RestSeeded:
      if (!is_snapshot) return on_numbered_delta(book, event, now);
      // A stream of partial books. Among the deltas of the same symbol it would truncate the consumer's book.
      if (book.state != State::Empty || !book.held.empty())
        return sink_.drop(event.symbol, DropReason::StaleSnapshot, 1);
      return on_full_frame(book, event, now);
  }
}

void BookGuard::on_full_frame(Book& book, const Event& event, Moment now) {
  if (is_crossed(std::get<OrderBook>(event.body))) {
    sink_.drop(event.symbol, DropReason::CrossedBook, 1);
    return report_gap(book, "crossed", now);
  }
  sink_.publish(event, now);
  if (book.is_gap) sink_.recovered(event.symbol, now);
  book.is_gap = false;
}

void BookGuard::on_channel_snapshot(Book& book, const Event& event, Moment now) {
  book.snapshot_due = now.steady + limits_.snapshot_patience;
  if (change(book, event, now)) become_whole(book, event, now);
}

void BookGuard::on_channel_delta(Book& book, const Event& event, Moment now) {
  if (!book.snapshot_due) book.snapshot_due = now.steady + limits_.snapshot_patience;
  if (now.steady >= *book.snapshot_due) {
    book.snapshot_due = now.steady + limits_.snapshot_patience;
    sink_.resubscribe(event.symbol);
  }
  if (book.state == State::Empty) return sink_.drop(event.symbol, DropReason::BeforeSnapshot, 1);
  if (book.state == State::Broken) return sink_.drop(event.symbol, DropReason::BookGap, 1);
  if (change(book, event, now)) sink_.publish(event, now);
}

// Applies the event. If the book cannot be right afterwards, drops the event and marks the book as broken.
bool BookGuard::change(Book& book, const Event& event, Moment now) {
  const auto& body = std::get<OrderBook>(event.body);
  if (!book.kept->apply(body)) {
    break_book(book, DropReason::BookNumber, "a number that a book cannot hold exactly", now);
  } else if (body.kind == BookKind::Delta && !book.kept->mid_agrees(body.mid_price)) {
    break_book(book, DropReason::WrongMidPrice, "mid_price disagrees", now);
  } else if (book.kept->is_crossed()) {
    break_book(book, DropReason::CrossedBook, "crossed", now);
  } else {
    return true;
  }
  return false;
}

void BookGuard::break_book(Book& book, DropReason why, std::string_view reason, Moment now) {
  book.kept->clear();
  book.state = State::Broken;
  sink_.drop(book.symbol, why, 1);
  report_gap(book, reason, now);
}

void BookGuard::report_gap(Book& book, std::string_view reason, Moment now) {
  if (book.is_gap) return;
  book.is_gap = true;
  sink_.gap(book.symbol, reason, std::nullopt, now);
}

void BookGuard::become_whole(Book& book, const Event& snapshot, Moment now) {
  book.state = State::Whole;
  sink_.publish(snapshot, now);
  if (book.is_gap) sink_.recovered(book.symbol, now);
  book.is_gap = false;
}

void BookGuard::on_disconnected() {
  for (Book& book : books_) empty(book);
}

void BookGuard::forget(std::string_view symbol) {
  const auto id = symbols_.find(symbol);
  if (!id) return;
  empty(books_[*id]);
  books_[*id].is_gap = false;
}

void BookGuard::empty(Book& book) {
  drop_held(book, DropReason::BeforeSnapshot);
  if (book.kept) book.kept->clear();
  book.state = State::Empty;
  book.snapshot_due.reset();
  book.first_id.reset();
  book.is_asked = false;
}

}  // namespace mdpipe::reader

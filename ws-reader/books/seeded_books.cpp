// BookGuard's recipe for books seeded over HTTP, "How to manage a local order book correctly" of
// binance/binance-spot-api-docs, web-socket-streams.md (read 2026-07): deltas wait for a snapshot; a snapshot
// older than the first delta is fetched again; deltas that the snapshot contains are skipped; each following
// delta must begin where the previous one ended, or the book starts over.
#include "libshared/text/format.hpp"
#include "ws-reader/books/book_guard.hpp"

namespace mdpipe::reader {
namespace {

struct Ids {
  std::uint64_t first, last;
};

Ids ids_of(const Event& event) {
  const auto& body = std::get<OrderBook>(event.body);
  const std::uint64_t last = body.book_seq.value_or(0);
  return {body.first_book_seq.value_or(last), last};
}

}  // namespace

void BookGuard::on_numbered_delta(Book& book, const Event& event, Moment now) {
  if (book.state == State::Whole) {
    const Placed placed = place(book, event, now);
    if (placed == Placed::Done) return;
    if (placed == Placed::Hole) hold(book, event);
    return ask(book, now.steady);
  }
  hold(book, event);
  ask(book, now.steady);
}

// Requires a whole book. Done: the delta was published or dropped, and the book is still whole. Broke: the
// delta was dropped, and the book starts over. Hole: the book starts over, and the caller holds the delta.
BookGuard::Placed BookGuard::place(Book& book, const Event& event, Moment now) {
  const Ids ids = ids_of(event);
  if (ids.last <= book.last_id) {
    sink_.drop(book.symbol, DropReason::StaleDelta, 1);
    return Placed::Done;
  }
  if (ids.first > book.last_id + 1) {
    const FixedText<80> reason("updates {} to {} are missing", book.last_id + 1, ids.first - 1);
    start_over(book);
    report_gap(book, reason.view(), now);
    return Placed::Hole;
  }
  if (!change(book, event, now)) {
    start_over(book);
    book.first_id = ids.last + 1;
    return Placed::Broke;
  }
  book.last_id = ids.last;
  sink_.publish(event, now);
  return Placed::Done;
}

void BookGuard::start_over(Book& book) {
  book.kept->clear();
  book.state = State::Broken;
  book.first_id.reset();
}

void BookGuard::hold(Book& book, const Event& event) {
  const bool is_full = book.held.size() >= limits_.held_count_max ||
                       book.held.bytes() >= limits_.held_bytes_max ||
                       held_bytes_ >= limits_.held_bytes_total_max;
  if (is_full && !book.held.empty()) {
    drop_held(book, DropReason::BookBuffer);
    book.first_id.reset();
  }
  if (!book.first_id) book.first_id = ids_of(event).first;
  const std::size_t before = book.held.bytes();
  book.held.push(event);
  ++held_events_;
  held_bytes_ += book.held.bytes() - before;
}

void BookGuard::drop_held(Book& book, DropReason why) {
  if (book.held.empty()) return;
  sink_.drop(book.symbol, why, book.held.size());
  held_events_ -= book.held.size();
  held_bytes_ -= book.held.bytes();
  book.held.clear();
}

void BookGuard::ask(Book& book, SteadyTime now) {
  if (book.is_asked || now < book.ask_from) return;
  book.is_asked = true;
  sink_.request_snapshot(book.symbol);
}

void BookGuard::on_rest_failed(std::string_view symbol, SteadyTime now) {
  Book& book = book_of(symbol);
  book.is_asked = false;
  book.ask_from = now + limits_.ask_again;
}

void BookGuard::on_rest_snapshot(const Event& event, Moment now) {
  Book& book = book_of(event.symbol);
  book.is_asked = false;
  if (book.state == State::Whole || !book.first_id)  // of a connection that is gone
    return sink_.drop(event.symbol, DropReason::StaleSnapshot, 1);
  const std::uint64_t last = ids_of(event).last;
  if (last + 1 < *book.first_id) {
    sink_.drop(event.symbol, DropReason::StaleSnapshot, 1);
    return ask(book, now.steady);
  }
  if (!change(book, event, now)) return ask(book, now.steady);
  book.last_id = last;
  book.first_id.reset();
  become_whole(book, event, now);
  place_held(book, now);
  if (book.state != State::Whole) ask(book, now.steady);
}

void BookGuard::place_held(Book& book, Moment now) {
  while (!book.held.empty()) {
    const Event event = book.held.front(exchange_, book.symbol);
    const Placed placed = place(book, event, now);
    if (placed == Placed::Hole) {
      book.first_id = ids_of(event).first;
      return;  // this delta and the later ones stay held
    }
    const std::size_t before = book.held.bytes();
    book.held.pop();
    --held_events_;
    held_bytes_ -= before - book.held.bytes();
    if (placed == Placed::Broke) return;
  }
}

}  // namespace mdpipe::reader

#pragma once
// Publishes order book events only as part of a book that can be right: a delta after its snapshot, in the
// exchange's order, never crossed. Each exchange has its own rules, one recipe each (docs/books.md). Pure:
// events, answers and the time come in; events, reports and requests go to a BookSink. Every event is
// published, held or dropped exactly once.
#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>

#include "libshared/event/event.hpp"
#include "libshared/intern/string_index.hpp"
#include "libshared/metrics/drop_reason.hpp"
#include "libshared/time/time.hpp"
#include "ws-reader/books/held_deltas.hpp"
#include "ws-reader/books/order_book.hpp"
#include "ws-reader/venues/adapter.hpp"

namespace mdpipe::reader {

using metrics::DropReason;

// Views are valid during the call. `now` is the time that was passed to the guard. No call may call the guard
// again.
class BookSink {
 public:
  virtual void publish(const Event& event, Moment now) = 0;
  virtual void drop(std::string_view symbol, DropReason why, std::uint64_t count) = 0;
  // The book is wrong or incomplete from here on. `lost`: events known to be missing, nothing if unknown.
  virtual void gap(std::string_view symbol, std::string_view reason, std::optional<std::uint64_t> lost,
                   Moment now) = 0;
  // The book is whole again; called right after its snapshot was published. Once for each gap().
  virtual void recovered(std::string_view symbol, Moment now) = 0;
  // The guard needs a snapshot: answer with on_rest_snapshot() or on_rest_failed().
  virtual void request_snapshot(std::string_view symbol) = 0;
  // Deltas come, but no snapshot: the symbol's channel must be subscribed again.
  virtual void resubscribe(std::string_view symbol) = 0;

 protected:
  ~BookSink() = default;
};

struct BookLimits {
  std::size_t levels_max = kBookLevelsMax;
  // Limits for deltas that wait for a snapshot: of one book, and of all books together.
  std::size_t held_count_max = 2'000;
  std::size_t held_bytes_max = 4U << 20U;
  std::size_t held_bytes_total_max = 64U << 20U;
  // bitFlyer sends a snapshot every 5 s.
  std::chrono::seconds snapshot_patience{20};
  // The pause after a request that was given up.
  std::chrono::seconds ask_again{5};
};

class BookGuard {
 public:
  // Borrows the sink, which must outlive the guard.
  BookGuard(venues::BookRecipe recipe, BookSink& sink, BookLimits limits = {});

  // An order book event from the connection.
  void on_book(const Event& event, Moment now);
  // The snapshot that request_snapshot() asked for.
  void on_rest_snapshot(const Event& event, Moment now);
  void on_rest_failed(std::string_view symbol, SteadyTime now);
  // The connection is lost, so that every book is incomplete.
  void on_disconnected();
  // The symbol is no longer collected. If it is collected again, it starts with a snapshot.
  void forget(std::string_view symbol);

  [[nodiscard]] std::uint64_t held_events() const { return held_events_; }
  // The symbol's book if it is whole, else null. Not for FullFrames, whose newest frame is the book.
  [[nodiscard]] KeptBook* whole_book(std::string_view symbol);

 private:
  enum class State { Empty, Whole, Broken };  // Broken: it was whole and is wrong now
  struct Book {
    std::string_view symbol;
    std::unique_ptr<KeptBook> kept;  // null for FullFrames
    State state = State::Empty;
    bool is_gap = false;  // was reported; a reconnect alone does not end it
    // SnapshotChannel: the latest time for the next snapshot.
    std::optional<SteadyTime> snapshot_due;
    // RestSeeded
    std::uint64_t last_id = 0;              // Whole: of the last change in the book
    std::optional<std::uint64_t> first_id;  // not Whole: of the first change the snapshot must lead up to
    bool is_asked = false;                  // a snapshot was requested
    SteadyTime ask_from{};                  // not before
    HeldDeltas held;
  };

  Book& book_of(std::string_view symbol);
  void empty(Book& book);
  void on_full_frame(Book& book, const Event& event, Moment now);
  void on_channel_snapshot(Book& book, const Event& event, Moment now);
  void on_channel_delta(Book& book, const Event& event, Moment now);
  [[nodiscard]] bool change(Book& book, const Event& event, Moment now);
  void break_book(Book& book, DropReason why, std::string_view reason, Moment now);
  void report_gap(Book& book, std::string_view reason, Moment now);
  void become_whole(Book& book, const Event& snapshot, Moment now);

  // RestSeeded: seeded_books.cpp.
  void on_numbered_delta(Book& book, const Event& event, Moment now);
  enum class Placed { Done, Broke, Hole };
  [[nodiscard]] Placed place(Book& book, const Event& event, Moment now);
  void place_held(Book& book, Moment now);
  void hold(Book& book, const Event& event);
  void drop_held(Book& book, DropReason why);
  void ask(Book& book, SteadyTime now);
  void start_over(Book& book);

  venues::BookRecipe recipe_;
  BookSink& sink_;
  BookLimits limits_;
  std::string_view exchange_;  // as the events name it
  StringIndex symbols_;
  std::deque<Book> books_;  // by symbol
  std::uint64_t held_events_ = 0;
  std::size_t held_bytes_ = 0;
};

}  // namespace mdpipe::reader

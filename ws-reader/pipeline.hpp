#pragma once
// The way of one frame through ws-reader: adapter, filter, counts, feed states, the guard of order books, and
// the writer of events. The same for frames from a socket, from standard input and from HTTP.
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libshared/time/time.hpp"
#include "ws-reader/book_publisher.hpp"
#include "ws-reader/books/book_guard.hpp"
#include "ws-reader/event_writer.hpp"
#include "ws-reader/feeds/feed_monitor.hpp"
#include "ws-reader/feeds/wanted_feeds.hpp"
#include "ws-reader/reader_metrics.hpp"
#include "ws-reader/venues/adapter.hpp"

namespace mdpipe::reader {

class Pipeline {
 public:
  struct Parts {
    venues::Adapter& adapter;
    ReaderMetrics& metrics;
    EventWriter& writer;
    FeedMonitor* feeds = nullptr;  // null: no feed states
  };

  // Borrows the parts, which must outlive the pipeline. Empty `symbols`: every symbol is collected.
  Pipeline(Parts parts, const std::vector<std::string>& symbols);
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // From now on order books are published by their exchange's recipe only. Every callback is set.
  void check_books(BookCallbacks callbacks);

  // `received`: on the wall clock when this frame was received; on the steady clock the time of the loop
  // turn, which its frames share.
  venues::FrameResult on_frame(std::string_view frame, Moment received);

  // Only after check_books(). The body of a book fetched over HTTP; a rejected body changes nothing.
  venues::FrameResult on_book_snapshot(std::string_view symbol, std::string_view body, Moment received);
  void on_book_snapshot_failed(std::string_view symbol, SteadyTime now);
  void on_disconnected();

  // Changes what is collected while the program runs. With standard input it is chosen by symbol alone.
  void end_feeds(const std::vector<venues::Subscription>& feeds, Moment now);
  void begin_feeds(const std::vector<venues::Subscription>& feeds);
  void set_symbols(const std::vector<std::string>& symbols) { wanted_ = WantedFeeds(symbols); }

  struct Totals {
    std::uint64_t frames = 0, events = 0, control = 0, other = 0, api_errors = 0, rejected = 0,
                  unknown_symbols = 0, no_longer_wanted = 0;
  };
  [[nodiscard]] const Totals& totals() const { return totals_; }
  // Order book deltas that wait for a snapshot.
  [[nodiscard]] std::uint64_t held_events() const { return books_ ? books_->guard.held_events() : 0; }

 private:
  // What an event needs to know of its frame.
  struct FrameContext {
    Moment received;
    std::size_t bytes_left = 0;  // the frame's size; its first event takes all of it
    bool is_fetched = false;     // over HTTP, not received from the connection
  };
  class FrameSink;
  struct Books {
    Books(BookPublisher::Parts parts, BookCallbacks callbacks, venues::BookRecipe recipe)
        : publisher(parts, std::move(callbacks)), guard(recipe, publisher) {}
    BookPublisher publisher;
    BookGuard guard;  // writes to the publisher
  };

  void on_event(const Event& event, FrameContext& frame);
  void on_order_book(const Event& event, const FrameContext& frame);
  void count(const venues::FrameResult& result);

  Parts parts_;
  bool books_have_deltas_;
  WantedFeeds wanted_;
  std::optional<Books> books_;  // empty: books are not checked
  Totals totals_;
};

}  // namespace mdpipe::reader

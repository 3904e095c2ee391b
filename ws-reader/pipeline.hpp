#pragma once
// The way of one frame through ws-reader: adapter, filter, counts, feed states, the guard of order books, and
// then the outbox (or standard output) and the tap. The same for frames from a socket and from standard
// input.
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/time/time.hpp"
#include "ws-reader/books/book_guard.hpp"
#include "ws-reader/feeds/feed_monitor.hpp"
#include "ws-reader/feeds/wanted_feeds.hpp"
#include "ws-reader/link/tap.hpp"
#include "ws-reader/outbox/conflator.hpp"
#include "ws-reader/outbox/outbox.hpp"
#include "ws-reader/reader_metrics.hpp"
#include "ws-reader/venues/adapter.hpp"

namespace mdpipe::reader {

// What checked books ask of the rest of the program. Views are valid during the call.
struct BookHooks {
  std::function<void(std::string_view symbol)> request_snapshot;
  std::function<void(std::string_view symbol)> resubscribe;
};

class Pipeline final : private venues::EventSink, private BookSink {
 public:
  struct Parts {
    venues::Adapter& adapter;
    ReaderMetrics& metrics;
    Outbox& outbox;
    Tap* tap;                        // null where there is none
    FeedMonitor* feeds = nullptr;    // the same
    Conflator* conflator = nullptr;  // the same
  };

  // Borrows the parts for its life. Empty `symbols` take every symbol. `on_event` runs after each event was
  // kept.
  Pipeline(Parts parts, const std::vector<std::string>& symbols, std::function<void()> on_event);

  // From here on order books are published by their exchange's recipe only. Every hook is set.
  void check_books(BookHooks hooks);

  // `now` is the same instant on the steady clock.
  venues::FrameResult on_frame(std::string_view frame, UnixNanos received, SteadyTime now = steady_now());

  // Only with check_books(). The body of a book fetched over HTTP; one that is rejected changes nothing.
  venues::FrameResult on_book_snapshot(std::string_view symbol, std::string_view body, UnixNanos received,
                                       SteadyTime now);
  void on_book_snapshot_failed(std::string_view symbol, SteadyTime now);
  void on_disconnected();

  // Which events are collected, while the program runs: with standard input by symbol alone.
  void end_feeds(const std::vector<venues::Subscription>& feeds, Moment now);
  void begin_feeds(const std::vector<venues::Subscription>& feeds);
  void set_symbols(const std::vector<std::string>& symbols) { wanted_ = WantedFeeds(symbols); }

  // Numbers an event, keeps it and offers it to the tap. Events of the exchange come here by on_frame().
  void keep(const Event& event, Moment now);
  // Keeps what was held while Redis was behind, once it has caught up or, with `at_once`, in any case.
  void release_conflated(Moment now, bool at_once = false);

  struct Totals {
    std::uint64_t frames = 0, events = 0, control = 0, other = 0, api_errors = 0, rejected = 0,
                  unknown_symbols = 0, no_longer_wanted = 0;
  };
  [[nodiscard]] const Totals& totals() const { return totals_; }
  // Order book deltas that wait for a snapshot, and events that wait for Redis to catch up.
  [[nodiscard]] std::uint64_t held_events() const {
    return (books_ ? books_->held_events() : 0) +
           (parts_.conflator != nullptr ? parts_.conflator->held() : 0);
  }

 private:
  void on_event(const Event& event) override;
  void on_order_book(const Event& event);
  void publish(const Event& event) override;
  void drop(std::string_view symbol, DropReason why, std::uint64_t count) override;
  void gap(std::string_view symbol, std::string_view reason, std::optional<std::uint64_t> lost) override;
  void recovered(std::string_view symbol) override;
  void request_snapshot(std::string_view symbol) override { hooks_.request_snapshot(symbol); }
  void resubscribe(std::string_view symbol) override { hooks_.resubscribe(symbol); }
  void count(const venues::FrameResult& result);
  [[nodiscard]] bool has_deltas() const {
    return parts_.adapter.profile().books != venues::BookRecipe::FullFrames;
  }
  bool conflate(const Event& event, SteadyTime now);
  void keep_whole_book(const Event& newest, Moment now);

  Parts parts_;
  WantedFeeds wanted_;
  std::function<void()> after_event_;
  std::optional<BookGuard> books_;
  BookHooks hooks_;
  bool is_fetched_ = false;  // what the adapter reads was fetched, and is no frame of the connection
  UnixNanos received_{};
  SteadyTime now_{};
  std::size_t frame_bytes_left_ = 0;  // the whole frame counts for its first event
  Totals totals_;
};

}  // namespace mdpipe::reader

#pragma once
// Carries out what BookGuard decides: writes the good events, counts the dropped ones, reports gaps to the
// feed monitor and passes on requests for snapshots. Decides nothing.
#include <functional>
#include <string_view>

#include "ws-reader/books/book_guard.hpp"
#include "ws-reader/event_writer.hpp"
#include "ws-reader/feeds/feed_monitor.hpp"
#include "ws-reader/reader_metrics.hpp"

namespace mdpipe::reader {

// What checked books ask of the source of frames. Views are valid during the call.
struct BookCallbacks {
  std::function<void(std::string_view symbol)> request_snapshot;
  std::function<void(std::string_view symbol)> resubscribe;
};

class BookPublisher final : public BookSink {
 public:
  struct Parts {
    EventWriter& writer;
    ReaderMetrics& metrics;
    FeedMonitor* feeds = nullptr;  // null: no feed states
    bool books_have_deltas = false;
  };

  // Borrows the parts, which must outlive it. Every callback is set.
  BookPublisher(Parts parts, BookCallbacks callbacks);

  void publish(const Event& event, Moment now) override;
  void drop(std::string_view symbol, DropReason why, std::uint64_t count) override;
  void gap(std::string_view symbol, std::string_view reason, std::optional<std::uint64_t> lost,
           Moment now) override;
  void recovered(std::string_view symbol, Moment now) override;
  void request_snapshot(std::string_view symbol) override { callbacks_.request_snapshot(symbol); }
  void resubscribe(std::string_view symbol) override { callbacks_.resubscribe(symbol); }

 private:
  Parts parts_;
  BookCallbacks callbacks_;
};

}  // namespace mdpipe::reader

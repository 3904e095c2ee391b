#include "ws-reader/pipeline.hpp"

#include <utility>

namespace mdpipe::reader {

// Where an adapter puts the events of one frame: lives during that frame and adds the frame's context.
class Pipeline::FrameSink final : public venues::EventSink {
 public:
  FrameSink(Pipeline& pipeline, FrameContext frame) : pipeline_(pipeline), frame_(frame) {}
  void on_event(const Event& event) override { pipeline_.on_event(event, frame_); }

 private:
  Pipeline& pipeline_;
  FrameContext frame_;
};

Pipeline::Pipeline(Parts parts, const std::vector<std::string>& symbols)
    : parts_(parts),
      books_have_deltas_(venues::has_deltas(parts.adapter.profile().books)),
      wanted_(symbols) {}

void Pipeline::check_books(BookCallbacks callbacks) {
  const BookPublisher::Parts parts{parts_.writer, parts_.metrics, parts_.feeds, books_have_deltas_};
  books_.emplace(parts, std::move(callbacks), parts_.adapter.profile().books);
  parts_.writer.hold_books_of(books_->guard);
}

venues::FrameResult Pipeline::on_frame(std::string_view frame, Moment received) {
  FrameSink sink(*this, {received, frame.size(), false});
  const venues::FrameResult result = parts_.adapter.on_frame(frame, received.wall, sink);
  count(result);
  parts_.metrics.frame(result, frame);
  return result;
}

venues::FrameResult Pipeline::on_book_snapshot(std::string_view symbol, std::string_view body,
                                               Moment received) {
  FrameSink sink(*this, {received, body.size(), true});
  return parts_.adapter.read_book_snapshot(body, symbol, received.wall, sink);
}

void Pipeline::on_book_snapshot_failed(std::string_view symbol, SteadyTime now) {
  if (books_) books_->guard.on_rest_failed(symbol, now);
}

void Pipeline::on_disconnected() {
  if (books_) books_->guard.on_disconnected();
}

// Held events are written first: none of a feed's may follow the change that ends it.
void Pipeline::end_feeds(const std::vector<venues::Subscription>& feeds, Moment now) {
  parts_.writer.release_all_held(now);
  for (const auto& feed : feeds) {
    wanted_.remove(feed);
    if (books_ && feed.channel == EventType::OrderBook) books_->guard.forget(feed.symbol);
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

void Pipeline::on_event(const Event& event, FrameContext& frame) {
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
  parts_.metrics.event(event, std::exchange(frame.bytes_left, 0));
  if (books_ && event.type() == EventType::OrderBook) return on_order_book(event, frame);
  if (parts_.feeds != nullptr) parts_.feeds->on_data(event.type(), event.symbol, frame.received);
  parts_.writer.write(event, frame.received);
}

// The feed of a book is not live before its snapshot, even if its deltas come.
void Pipeline::on_order_book(const Event& event, const FrameContext& frame) {
  BookGuard& guard = books_->guard;
  if (parts_.feeds != nullptr) {
    if (books_have_deltas_ && guard.whole_book(event.symbol) == nullptr)
      parts_.feeds->begin_gap(EventType::OrderBook, event.symbol, "the book waits for its snapshot",
                              frame.received);
    parts_.feeds->on_data(EventType::OrderBook, event.symbol, frame.received);
  }
  if (frame.is_fetched) return guard.on_rest_snapshot(event, frame.received);
  guard.on_book(event, frame.received);
}

}  // namespace mdpipe::reader

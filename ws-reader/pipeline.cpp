#include "ws-reader/pipeline.hpp"

#include <utility>

namespace mdpipe::reader {

Pipeline::Pipeline(Parts parts, const std::vector<std::string>& symbols, std::function<void()> on_event)
    : parts_(parts), wanted_(symbols.size()), after_event_(std::move(on_event)) {
  for (const auto& symbol : symbols) wanted_.find_or_add(symbol);
}

venues::FrameResult Pipeline::on_frame(std::string_view frame, UnixNanos received, SteadyTime now) {
  now_ = now;
  frame_bytes_left_ = frame.size();
  const venues::FrameResult result = parts_.adapter.on_frame(frame, received, *this);
  count(result);
  parts_.metrics.frame(result, frame);
  return result;
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
  if (wanted_.size() > 0 && !wanted_.find(event.symbol)) {
    ++totals_.unknown_symbols;
    return parts_.metrics.unknown_symbol(event.symbol);
  }
  ++totals_.events;
  parts_.metrics.event(event, std::exchange(frame_bytes_left_, 0));
  if (parts_.feeds != nullptr) parts_.feeds->on_data(event.type(), event.symbol, {event.recv, now_});
  keep(event);
}

void Pipeline::keep(const Event& event) {
  parts_.outbox.append(event);
  if (parts_.tap != nullptr) parts_.tap->offer(event, parts_.outbox.last_seq());
  after_event_();
}

}  // namespace mdpipe::reader

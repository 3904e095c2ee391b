#pragma once
// The way of one frame through ws-reader: adapter, filter, counts, and then the outbox (or standard output)
// and the tap. The same for frames from a socket and from standard input.
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/intern/string_index.hpp"
#include "libshared/time/time.hpp"
#include "ws-reader/feeds/feed_monitor.hpp"
#include "ws-reader/outbox.hpp"
#include "ws-reader/reader_metrics.hpp"
#include "ws-reader/tap.hpp"
#include "ws-reader/venues/adapter.hpp"

namespace mdpipe::reader {

class Pipeline final : private venues::EventSink {
 public:
  struct Parts {
    venues::Adapter& adapter;
    ReaderMetrics& metrics;
    Outbox& outbox;
    Tap* tap;                      // null where there is none
    FeedMonitor* feeds = nullptr;  // the same
  };

  // Borrows the parts for its life. Empty `symbols` take every symbol. `on_event` runs after each event was
  // kept.
  Pipeline(Parts parts, const std::vector<std::string>& symbols, std::function<void()> on_event);

  // `now` is the same instant on the steady clock; only the feeds need it.
  venues::FrameResult on_frame(std::string_view frame, UnixNanos received, SteadyTime now = {});

  // Numbers an event, keeps it and offers it to the tap. Events of the exchange come here by on_frame().
  void keep(const Event& event);

  struct Totals {
    std::uint64_t frames = 0, events = 0, control = 0, other = 0, api_errors = 0, rejected = 0,
                  unknown_symbols = 0;
  };
  [[nodiscard]] const Totals& totals() const { return totals_; }

 private:
  void on_event(const Event& event) override;
  void count(const venues::FrameResult& result);

  Parts parts_;
  StringIndex wanted_;
  std::function<void()> after_event_;
  SteadyTime now_{};
  std::size_t frame_bytes_left_ = 0;  // the whole frame counts for its first event
  Totals totals_;
};

}  // namespace mdpipe::reader

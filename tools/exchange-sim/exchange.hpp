#pragma once
// The generator: the markets of one exchange, and the streams that clients want. next() makes one event and
// writes it for each of those streams. Apart from the time, the result depends only on the seed, the symbols
// and the order of subscription.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tools/exchange-sim/venue.hpp"

namespace mdpipe::sim {

struct ExchangeOptions {
  std::string exchange = "gmo";
  std::vector<std::string> symbols;
  std::uint64_t seed = 1;
  std::size_t book_levels = 300;
  std::size_t requests_per_second = 0;
  // A timed book snapshot comes once in this many events: their rate times the seconds between snapshots.
  std::uint64_t events_per_snapshot = 100;
  // Markets continue for streams without subscribers, so that a client that reconnects has missed
  // something.
  bool runs_unwatched = false;
};

// One frame for every client with the stream `key`, without its wrapping.
struct Frame {
  std::string key;
  std::size_t symbol = Stream::kNoSymbol;
  std::string body;
};

class Exchange {
 public:
  explicit Exchange(const ExchangeOptions& config);

  Venue& venue() { return *venue_; }
  [[nodiscard]] const std::vector<Market>& markets() const { return markets_; }
  [[nodiscard]] const std::vector<std::string>& symbols() const { return config_.symbols; }
  void set_events_per_snapshot(std::uint64_t events) {
    config_.events_per_snapshot = events == 0 ? 1 : events;
  }

  // Sets what all clients together are subscribed to, in the order of their connections and subscriptions.
  void set_streams(const std::vector<const Session*>& sessions);
  [[nodiscard]] bool is_wanted() const { return !groups_.empty() || !timed_.empty(); }

  // One event; the frames are valid until the next call.
  const std::vector<Frame>& next(UnixNanos now);
  [[nodiscard]] std::uint64_t events() const { return events_; }

 private:
  struct Group {  // the streams that one event serves
    std::size_t symbol;
    Kind kind;
    std::vector<Stream> streams;
  };
  struct Timed {
    Stream stream;
    std::uint64_t due = 0;  // in steps
  };

  void add_stream(const Stream& stream, const std::vector<Timed>& before);
  const Group& pick();
  MarketEvent make_event(const Group& group, UnixNanos now);
  void render(const Stream& stream, const MarketEvent& event);
  void render_due_snapshots(UnixNanos now);

  ExchangeOptions config_;
  std::unique_ptr<Venue> venue_;
  std::size_t trades_per_event_max_;
  Random random_;
  std::vector<Market> markets_;
  std::vector<Group> groups_;  // in the order of subscription
  std::map<std::pair<std::size_t, Kind>, std::size_t> group_index_;
  std::vector<Timed> timed_;
  std::vector<bool> has_book_stream_;
  std::int64_t weight_total_ = 0;
  std::uint64_t events_ = 0, steps_ = 0;
  std::vector<Frame> frames_;
  std::vector<std::string> bodies_;
};

}  // namespace mdpipe::sim

#pragma once
// Decides the state of each feed (one channel of one symbol) from data alone: heartbeats do not count; the
// data of the other feeds on the connection and the feed's usual silences do. Pure: facts and the time come
// in; changes, and requests to subscribe or connect again, go to a FeedSink. docs/feeds.md explains the rules
// to users; SilenceRule decides how long a feed may be silent.
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "libshared/event/event.hpp"
#include "libshared/intern/string_index.hpp"
#include "libshared/time/time.hpp"
#include "ws-reader/feeds/silence_rule.hpp"
#include "ws-reader/venues/adapter.hpp"

namespace mdpipe::reader {

class FeedSink {
 public:
  // Feed number `feed` changed. The views in `change` are valid during the call only.
  virtual void on_feed(std::size_t feed, const FeedChange& change, Moment now) = 0;
  // A feed was added; its number is the next one.
  virtual void on_added(const venues::Subscription& /*what*/) {}
  // Feed number `feed` was removed, after its last change: the numbers above it decrease by one.
  virtual void on_removed(std::size_t /*feed*/) {}
  // Subscribe to this feed again. False if that is not possible now; the monitor asks again later.
  virtual bool resubscribe(std::size_t feed) = 0;
  // Close the connection and connect again. May call back into the monitor.
  virtual void reconnect(std::string_view reason) = 0;

 protected:
  ~FeedSink() = default;
};

// What is missing: see FeedChange in libshared/event/event.hpp.
struct MissingEvents {
  UnixNanos from{}, to{};
  std::optional<std::uint64_t> lost{};
};

class FeedMonitor {
 public:
  // The interval at which to call tick().
  static constexpr std::chrono::milliseconds kTickInterval{500};

  // `stale_after` is the floor of each channel (SilenceRule). Borrows the sink, which must outlive the
  // monitor.
  FeedMonitor(std::vector<venues::Subscription> subscriptions, const venues::StaleAfter& stale_after,
              FeedSink& sink);

  void start(Moment now);
  void on_connected(Moment now);
  void on_subscribed(Moment now);  // every request was sent
  void on_disconnected(std::string_view reason, Moment now);
  void tick(Moment now);

  // Adds and removes feeds while the others continue. A new feed is judged after the next on_subscribed().
  void add(const std::vector<venues::Subscription>& subscriptions, std::string_view reason, Moment now);
  void remove(const std::vector<venues::Subscription>& subscriptions, std::string_view reason, Moment now);
  void set_stale_after(const venues::StaleAfter& stale_after);

  // An event of the feed is about to be written: the changes that it causes go to the sink before this
  // returns. Allocates nothing if nothing changes. Unknown feeds are ignored, here and below.
  void on_data(EventType channel, std::string_view symbol, Moment now);

  // Events are missing, and the following events are good: reports a gap, then the state as before.
  void on_gap(EventType channel, std::string_view symbol, std::string_view reason,
              const MissingEvents& missing, Moment now);
  // The same for every feed: which events are missing is not known.
  void on_gap_everywhere(std::string_view reason, Moment now);
  // The data cannot be used until end_gap(), such as a book's changes without the book. A lost connection
  // ends the gap too. Repeated calls report it once.
  void begin_gap(EventType channel, std::string_view symbol, std::string_view reason, Moment now);
  void end_gap(EventType channel, std::string_view symbol, Moment now);

  // Reports the state of every feed again, for consumers that lost earlier reports.
  void announce_all(std::string_view reason, Moment now);

  [[nodiscard]] std::size_t size() const { return feeds_.size(); }
  [[nodiscard]] const venues::Subscription& subscription(std::size_t feed) const { return feeds_[feed].what; }
  [[nodiscard]] FeedState state(std::size_t feed) const { return feeds_[feed].state; }
  [[nodiscard]] std::optional<std::size_t> find(EventType channel, std::string_view symbol) const;
  // When the feed's last event was received; 0 if there was none.
  [[nodiscard]] UnixNanos last_recv(std::size_t feed) const { return feeds_[feed].last_recv; }

 private:
  struct Watched {
    venues::Subscription what;
    SilenceRule rule;
    std::string_view begun_by;  // why the feed exists: a constant text
    FeedState state = FeedState::Pending;
    UnixNanos since{};
    UnixNanos last_recv{};
    bool has_spoken = false;   // in this run of the process
    bool awaits_first = true;  // no event on this connection yet
    bool is_broken = false;    // between begin_gap() and end_gap()
    Span resubscribe_pause{};  // until the next request; 0: no request yet in this silence
    SteadyTime resubscribe_at{};
  };

  void append(venues::Subscription what, std::string_view begun_by);
  void index_feeds();
  Watched* find_feed(EventType channel, std::string_view symbol);
  void set_state(Watched& feed, FeedState state, std::string_view reason, Moment now);
  void announce(const Watched& feed, std::string_view reason, Moment now);
  void announce_gap(const Watched& feed, std::string_view reason, const MissingEvents& missing, Moment now);
  void wake(Watched& feed, Moment now);
  void judge(Watched& feed, Moment now);
  void resubscribe_when_due(Watched& feed, SteadyTime now);
  void watch_connection(Span shortest, Span longest, SteadyTime now);
  void forgive_own_pause(SteadyTime now);
  [[nodiscard]] std::size_t index_of(const Watched& feed) const {
    return static_cast<std::size_t>(&feed - feeds_.data());
  }

  FeedSink* sink_;
  venues::StaleAfter stale_after_;
  StringIndex symbols_;
  std::vector<Watched> feeds_;
  std::vector<std::array<std::uint32_t, std::size(kMarketTypes)>> by_symbol_;  // feed of symbol and channel

  bool connected_ = false;
  bool subscribed_ = false;
  bool has_data_ = false;   // on this connection
  SteadyTime last_data_{};  // of any feed; before the first: the end of subscribing
  SteadyTime subscribed_at_{};
  SteadyTime last_tick_{};
  unsigned silent_reconnects_ = 0;  // in a row
  Span silence_allowed_{};          // before the last of them
};

}  // namespace mdpipe::reader

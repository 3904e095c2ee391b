#pragma once
// Learns how long one feed is usually silent, and says from when a silence is more than that. Pure: times of
// events come in, spans come out. It does not know about siblings or connections: that is FeedMonitor's
// (feed_monitor.hpp). The rule is told to users in docs/feeds.md.
#include <array>
#include <chrono>
#include <cstdint>

#include "libshared/time/time.hpp"

namespace mdpipe::reader {

using Span = std::chrono::nanoseconds;

class SilenceRule {
 public:
  // A silence shorter than this is never stale.
  explicit SilenceRule(Span floor);

  // What was learned stays.
  void set_floor(Span floor);

  // An event came.
  void on_event(SteadyTime now);
  // Silence counts from now on: the feed was subscribed anew. What was learned stays.
  void restart(SteadyTime now) { last_ = now; }
  // The process itself did not run for this span, so it is no silence of the market.
  void forgive(Span span, SteadyTime now) { last_ = last_ + span < now ? last_ + span : now; }

  [[nodiscard]] Span silence(SteadyTime now) const { return now - last_; }
  // The longest silence of the last hour, or of the last hundred silences where those took longer.
  [[nodiscard]] Span usual() const { return usual_; }
  [[nodiscard]] Span quiet_after() const { return quiet_after_; }
  [[nodiscard]] Span stale_after() const { return stale_after_; }

 private:
  // Twelve slots of five minutes, each of at least eight silences: an hour of a busy feed, and a hundred
  // silences of one that has few an hour, whose longest one a single hour would say nothing about.
  static constexpr std::size_t kSlots = 12;

  void next_slot(SteadyTime now);
  void update();
  bool learn(SteadyTime now);

  Span floor_;
  Span usual_{}, quiet_after_{}, stale_after_{};
  SteadyTime last_{};  // event, or begin of the subscription
  std::array<Span, kSlots> longest_{};
  std::size_t slot_ = 0;
  SteadyTime slot_since_{};
  std::uint32_t slot_events_ = 0;
  bool has_learned_ = false;
  std::uint32_t events_seen_ = 0;  // until it has learned
  SteadyTime first_event_{};
};

}  // namespace mdpipe::reader

#pragma once
// Learns how long one feed is usually silent, and decides from when a silence is unusual. Pure: times of
// events come in, spans come out. It knows no other feeds and no connections; FeedMonitor does
// (feed_monitor.hpp). docs/feeds.md explains the rule to users.
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

  // Keeps what was learned.
  void set_floor(Span floor);

  // An event came.
  void on_event(SteadyTime now);
  // The feed was subscribed again: its silence starts now. Keeps what was learned.
  void restart(SteadyTime now) { last_ = now; }
  // The process did not run during this span, so it does not count as silence.
  void forgive(Span span, SteadyTime now) { last_ = last_ + span < now ? last_ + span : now; }

  [[nodiscard]] Span silence(SteadyTime now) const { return now - last_; }
  // The longest silence of the last hour, or of the last hundred silences if they took longer.
  [[nodiscard]] Span usual() const { return usual_; }
  [[nodiscard]] Span quiet_after() const { return quiet_after_; }
  [[nodiscard]] Span stale_after() const { return stale_after_; }

 private:
  // Twelve slots of five minutes, each of at least eight silences: an hour of a busy feed, and a hundred
  // silences of a slow feed, for which one hour is too short a sample.
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

// Goal: thin markets do not flap, frozen ones are noticed. Method: days of simulated arrivals from printed
// seeds, looked at four times a second as the program does; what each process costs in changes of state and
// how long a freeze goes unnoticed is recorded as properties of the test.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <random>
#include <string>

#include "ws-reader/feeds/silence_rule.hpp"

namespace mdpipe::reader {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr int kDays = 3;
constexpr Span kTick = milliseconds(250);

using NextSilence = std::function<Span(std::mt19937_64&)>;

Span exponential(std::mt19937_64& random, Span mean) {
  const double factor = std::exponential_distribution<double>(1)(random);
  return std::chrono::duration_cast<Span>(factor * mean);
}

NextSilence regular(Span span) {
  return [span](std::mt19937_64&) { return span; };
}
NextSilence at_random(Span mean) {
  return [mean](std::mt19937_64& random) { return exponential(random, mean); };
}
// 50 events within seconds, then nothing for about `pause`.
NextSilence bursts(Span pause, bool random_pause) {
  return [=, left = 50](std::mt19937_64& random) mutable {
    if (--left > 0) return exponential(random, milliseconds(100));
    left = 50;
    if (random_pause) return exponential(random, pause);
    return pause + exponential(random, seconds(5));
  };
}
// Busy by day and six times thinner by night.
NextSilence day_and_night(Span mean) {
  return [=, clock = Span(0)](std::mt19937_64& random) mutable {
    const bool is_night = clock % hours(24) > hours(14);
    const Span silence = exponential(random, is_night ? 6 * mean : mean);
    clock += silence;
    return silence;
  };
}

struct Changes {
  int quiet = 0, stale = 0;
};

// A feed over some time, its state as FeedMonitor would see it.
class Simulated {
 public:
  Simulated(Span floor, NextSilence next, std::uint64_t seed)
      : rule_(floor), next_(std::move(next)), random_(seed) {
    rule_.restart(now_);
  }

  Changes run(Span span) {
    Changes changes;
    for (const SteadyTime end = now_ + span; now_ < end;) {
      const SteadyTime event = now_ + next_(random_);
      count_changes(event - now_, changes);
      now_ = event;
      rule_.on_event(now_);
    }
    return changes;
  }

  // How long after the last event a freeze is called stale.
  [[nodiscard]] Span noticed_after() const { return (rule_.stale_after() + kTick - Span(1)) / kTick * kTick; }

 private:
  void count_changes(Span silence, Changes& changes) const {
    if (silence >= rule_.stale_after() + kTick) {
      ++changes.stale;
    } else if (silence >= rule_.quiet_after() + kTick) {
      ++changes.quiet;
    }
  }

  SilenceRule rule_;
  NextSilence next_;
  std::mt19937_64 random_;
  SteadyTime now_{hours(1)};
};

struct Case {
  std::string name;
  Span floor;
  NextSilence next;
  int stale_first_day_max;  // while it learns
  double stale_a_day_max;   // on the later days
  double quiet_a_day_max;
  Span noticed_max;  // a freeze
};

std::uint64_t first_seed() {
  const char* given = std::getenv("MDPIPE_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
}

TEST(SilenceRuleProperty, thin_markets_do_not_flap_and_freezes_are_noticed) {
  const Case cases[] = {
      {"regular, 1 s", seconds(30), regular(seconds(1)), 0, 0, 0, seconds(30)},
      {"regular, 10 s", seconds(30), regular(seconds(10)), 0, 0, 0, seconds(30)},
      {"book every 5.2 s", seconds(15), regular(milliseconds(5200)), 0, 0, 0, seconds(16)},
      {"random, mean 1 s", seconds(30), at_random(seconds(1)), 0, 0, 250, seconds(90)},
      {"random, mean 20 s", seconds(30), at_random(seconds(20)), 4, 0.1, 10, minutes(15)},
      {"random, mean 5 min", seconds(30), at_random(minutes(5)), 8, 0.1, 5, hours(4)},
      {"trades, mean 20 min", minutes(5), at_random(minutes(20)), 6, 0.1, 3, hours(12)},
      {"bursts, 10 min apart", minutes(5), bursts(minutes(10), false), 2, 0, 1, minutes(45)},
      {"bursts, random 10 min apart", minutes(5), bursts(minutes(10), true), 4, 0.2, 8, hours(4)},
      {"day and night, mean 10 s", seconds(30), day_and_night(seconds(10)), 5, 1, 20, minutes(30)}};
  constexpr int kSeeds = 20;
  const std::uint64_t seed = first_seed();
  for (const Case& one : cases) {
    int first_day = 0, later = 0, quiet = 0;
    Span noticed{};
    for (std::uint64_t i = 0; i < kSeeds; ++i) {
      Simulated feed(one.floor, one.next, seed + i);
      first_day = std::max(first_day, feed.run(hours(24)).stale);
      const Changes changes = feed.run(hours(24) * (kDays - 1));
      later += changes.stale;
      quiet += changes.quiet;
      noticed = std::max(noticed, feed.noticed_after());
    }
    const double days = kSeeds * (kDays - 1);
    const auto noticed_s = std::chrono::duration_cast<seconds>(noticed).count();
    std::printf(
        "%-28s stale: first day at most %d, later %.2f a day; quiet %.1f a day; frozen: noticed after at "
        "most %ld s\n",
        one.name.c_str(), first_day, later / days, quiet / days, static_cast<long>(noticed_s));
    EXPECT_LE(first_day, one.stale_first_day_max) << one.name << ", MDPIPE_SEED=" << seed;
    EXPECT_LE(later / days, one.stale_a_day_max) << one.name << ", MDPIPE_SEED=" << seed;
    EXPECT_LE(quiet / days, one.quiet_a_day_max) << one.name << ", MDPIPE_SEED=" << seed;
    EXPECT_LE(noticed, one.noticed_max) << one.name << ", MDPIPE_SEED=" << seed;
  }
}

}  // namespace
}  // namespace mdpipe::reader

#pragma once
// Whether one subject of an alert fires. The alert begins when the value was above the limit for long enough,
// and ends when it was at most half of the limit for long enough. So neither a restart of a few seconds nor a
// value near the limit makes the alert begin and end repeatedly. Pure.
#include "libshared/time/time.hpp"
#include "metrics-agent/alerts/rules/alert_rules.hpp"

namespace mdpipe::agent {

class AlertState {
 public:
  enum class Phase : unsigned char { Inactive, Pending, Firing };
  enum class Change { None, Fired, Ended };

  // NaN is not bad. If another alert explains the value already, `may_fire` is false and this one waits.
  Change update(double value, const AlertRule& rule, bool may_fire, SteadyTime now) {
    const bool is_bad = value > rule.limit;
    switch (phase_) {
      case Phase::Inactive:
        if (!is_bad) return Change::None;
        enter(Phase::Pending, now);
        return try_to_fire(rule, may_fire, now);
      case Phase::Pending:
        if (is_bad) return try_to_fire(rule, may_fire, now);
        enter(Phase::Inactive, now);
        return Change::None;
      case Phase::Firing:
        return try_to_end(value > rule.end_limit(), rule, now);
    }
    return Change::None;
  }

  [[nodiscard]] bool is_firing() const { return phase_ == Phase::Firing; }
  // When the value became bad; of a firing one.
  [[nodiscard]] SteadyTime since() const { return since_; }

 private:
  void enter(Phase phase, SteadyTime now) {
    phase_ = phase;
    since_ = now;
  }

  Change try_to_fire(const AlertRule& rule, bool may_fire, SteadyTime now) {
    if (!may_fire || now - since_ < rule.hold) return Change::None;
    phase_ = Phase::Firing;
    bad_at_ = now;
    return Change::Fired;
  }

  Change try_to_end(bool is_still_bad, const AlertRule& rule, SteadyTime now) {
    if (is_still_bad) bad_at_ = now;
    if (is_still_bad || now - bad_at_ < rule.keep) return Change::None;
    enter(Phase::Inactive, now);
    return Change::Ended;
  }

  Phase phase_ = Phase::Inactive;
  SteadyTime since_{};   // of the phase; of Firing: when it was Pending first
  SteadyTime bad_at_{};  // when a firing one was last bad
};

}  // namespace mdpipe::agent

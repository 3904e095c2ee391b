#pragma once
// Which alerts fire for which subjects, what has changed, and what of it nobody was told yet. Being told is a
// property of a subject, not an entry of a queue: however long the webhook is away, the book takes no more
// room, and the next message says how things are now. Pure.
#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "metrics-agent/alerts/rules/alert_rules.hpp"
#include "metrics-agent/alerts/rules/alert_state.hpp"
#include "metrics-agent/alerts/rules/conditions.hpp"

namespace mdpipe::agent {

inline constexpr std::size_t kSubjectsNamed = 20;

// What there is to say about one alert: that it began to fire for some subjects, or that it is over for them.
struct AlertReport {
  AlertId alert{};
  bool is_over = false;
  std::vector<std::string> subjects;  // the first twenty
  std::size_t subjects_more = 0;      // and so many unnamed
  double value = 0;                   // the worst of them; of one that is over the worst now
  double limit = 0;
  UnixNanos since{};       // the earliest of them
  std::size_t firing = 0;  // subjects that the alert fires for, these among them
};

class AlertBook {
 public:
  // Borrows the conditions.
  AlertBook(const Conditions& conditions, const AlertRules& rules);

  // Takes effect with the next update.
  void set_rules(const AlertRules& rules) { rules_ = rules; }

  // After Conditions::update. What changed, at most two reports an alert.
  std::vector<AlertReport> update(Moment now);

  [[nodiscard]] bool is_firing(AlertId alert) const { return book(alert).firing > 0; }

  // Everything nobody was told yet, the most severe first. Then one of the others says what became of it.
  std::vector<AlertReport> take_untold();
  void told();
  void not_told();
  [[nodiscard]] bool has_untold() const;

 private:
  enum Flag : unsigned char {
    kFiredUntold = 1,
    kOverUntold = 2,
    kFiredOnItsWay = 4,
    kOverOnItsWay = 8,
  };
  struct Subject {
    AlertState state;
    UnixNanos since{};  // when the value became bad; stays when it is over
    unsigned char flags = 0;
  };
  struct PerAlert {
    std::vector<Subject> subjects;
    std::size_t firing = 0;
    bool has_untold = false;  // for some subject
  };

  PerAlert& book(AlertId alert) { return alerts_[static_cast<std::size_t>(alert)]; }
  [[nodiscard]] const PerAlert& book(AlertId alert) const { return alerts_[static_cast<std::size_t>(alert)]; }
  void update_alert(AlertId alert, Moment now, std::vector<AlertReport>& out);
  [[nodiscard]] bool is_explained(AlertId alert) const;
  [[nodiscard]] AlertReport report(AlertId alert, bool is_over,
                                   const std::vector<std::size_t>& subjects) const;

  const Conditions& conditions_;
  AlertRules rules_;
  std::array<PerAlert, kAlerts.size()> alerts_;
};

}  // namespace mdpipe::agent

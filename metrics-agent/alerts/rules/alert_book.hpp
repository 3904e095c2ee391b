#pragma once
// Which alerts fire for which subjects, which changes there are, and which of them were not delivered yet.
// Whether a change was delivered is a property of its subject, not an entry of a queue: an outage of the
// webhook, however long, takes no memory, and the next message describes the present state. Pure.
#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "metrics-agent/alerts/rules/alert_rules.hpp"
#include "metrics-agent/alerts/rules/alert_state.hpp"
#include "metrics-agent/alerts/rules/conditions.hpp"

namespace mdpipe::agent {

inline constexpr std::size_t kSubjectsNamed = 20;

// A message about one alert: that it began to fire for some subjects, or that it is over for them.
struct AlertReport {
  AlertId alert{};
  bool is_over = false;
  std::vector<std::string> subjects;  // the first twenty
  std::size_t subjects_more = 0;      // further ones, which are not named
  double value = 0;  // the worst of the subjects; if the alert is over, the worst present value
  double limit = 0;
  UnixNanos since{};       // the earliest of them
  std::size_t firing = 0;  // all subjects that the alert fires for
};

class AlertBook {
 public:
  // Borrows the conditions.
  AlertBook(const Conditions& conditions, const AlertRules& rules);

  // Takes effect with the next update.
  void set_rules(const AlertRules& rules) { rules_ = rules; }

  // After Conditions::update. Returns the changes, at most two reports for each alert.
  std::vector<AlertReport> update(Moment now);

  [[nodiscard]] bool is_firing(AlertId alert) const { return book(alert).firing > 0; }

  // Returns every change that was not delivered yet, the most severe first. Afterwards one of the other two
  // functions says whether the delivery succeeded.
  std::vector<AlertReport> begin_delivery();
  void delivered();
  void not_delivered();
  [[nodiscard]] bool has_undelivered() const;

 private:
  enum Flag : unsigned char {
    kFiredUndelivered = 1,
    kOverUndelivered = 2,
    kFiredInDelivery = 4,
    kOverInDelivery = 8,
  };
  struct Subject {
    AlertState state;
    UnixNanos since{};  // when the value became bad; stays when it is over
    unsigned char flags = 0;
  };
  struct PerAlert {
    std::vector<Subject> subjects;
    std::size_t firing = 0;
    bool has_undelivered = false;  // for some subject
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

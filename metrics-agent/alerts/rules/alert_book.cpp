#include "metrics-agent/alerts/rules/alert_book.hpp"

#include <algorithm>
#include <cmath>

namespace mdpipe::agent {
namespace {

constexpr std::string_view kPublisher = "md-publisher ";  // the beginning of its subject of ComponentDown

double worse(double a, double b) { return std::isnan(a) || b > a ? b : a; }

}  // namespace

AlertBook::AlertBook(const Conditions& conditions, const AlertRules& rules)
    : conditions_(conditions), rules_(rules) {}

std::vector<AlertReport> AlertBook::update(Moment now) {
  std::vector<AlertReport> out;
  for (const AlertInfo& alert : kAlerts) update_alert(alert.id, now, out);
  return out;
}

void AlertBook::update_alert(AlertId alert, Moment now, std::vector<AlertReport>& out) {
  const std::vector<double>& values = conditions_.values(alert);
  const AlertRule& rule = rules_[alert];
  const bool may_fire = !is_explained(alert);
  PerAlert& book = this->book(alert);
  book.subjects.resize(values.size());
  std::vector<std::size_t> fired, ended;
  for (std::size_t i = 0; i < values.size(); ++i) {
    Subject& subject = book.subjects[i];
    const double value = rule.is_on ? values[i] : Conditions::kUnknown;
    switch (subject.state.update(value, rule, may_fire, now.steady)) {
      case AlertState::Change::None:
        break;
      case AlertState::Change::Fired:
        subject.since = UnixNanos{now.wall.count - (now.steady - subject.state.since()).count()};
        subject.flags |= kFiredUndelivered;
        fired.push_back(i);
        break;
      case AlertState::Change::Ended:
        subject.flags |= kOverUndelivered;
        ended.push_back(i);
        break;
    }
  }
  book.firing += fired.size();
  book.firing -= ended.size();
  book.has_undelivered = book.has_undelivered || !fired.empty() || !ended.empty();
  if (!fired.empty()) out.push_back(report(alert, false, fired));
  if (!ended.empty()) out.push_back(report(alert, true, ended));
}

// Without Redis or md-publisher nothing is published, events pile up and latency grows: one cause, one alert.
// If these alerts last longer than the cause, they fire then.
bool AlertBook::is_explained(AlertId alert) const {
  if (alert != AlertId::NothingPublished && alert != AlertId::Backlog && alert != AlertId::PublishSlow)
    return false;
  if (is_firing(AlertId::RedisDown)) return true;
  const auto& components = book(AlertId::ComponentDown).subjects;
  for (std::size_t i = 0; i < components.size(); ++i) {
    if (components[i].state.is_firing() &&
        conditions_.subject(AlertId::ComponentDown, i).compare(0, kPublisher.size(), kPublisher) == 0)
      return true;
  }
  return false;
}

AlertReport AlertBook::report(AlertId alert, bool is_over, const std::vector<std::size_t>& subjects) const {
  const PerAlert& book = this->book(alert);
  const std::vector<double>& values = conditions_.values(alert);
  AlertReport out;
  out.alert = alert;
  out.is_over = is_over;
  out.value = Conditions::kUnknown;
  out.limit = rules_[alert].limit;
  out.since = book.subjects[subjects.front()].since;
  out.firing = book.firing;
  out.subjects_more = subjects.size() - std::min(subjects.size(), kSubjectsNamed);
  for (const std::size_t i : subjects) {
    if (out.subjects.size() < kSubjectsNamed) out.subjects.push_back(conditions_.subject(alert, i));
    if (i < values.size()) out.value = worse(out.value, values[i]);
    out.since = std::min(out.since, book.subjects[i].since);
  }
  return out;
}

std::vector<AlertReport> AlertBook::begin_delivery() {
  std::vector<AlertReport> out;
  for (const AlertInfo& alert : kAlerts) {
    PerAlert& book = this->book(alert.id);
    if (!book.has_undelivered) continue;
    std::vector<std::size_t> fired, ended;
    for (std::size_t i = 0; i < book.subjects.size(); ++i) {
      Subject& subject = book.subjects[i];
      if ((subject.flags & (kFiredUndelivered | kOverUndelivered)) == 0) continue;
      // An alert that fired and ended is delivered as over; one that ended and fired, as firing.
      (subject.state.is_firing() ? fired : ended).push_back(i);
      subject.flags =
          static_cast<unsigned char>((subject.flags & (kFiredUndelivered | kOverUndelivered)) << 2U);
    }
    book.has_undelivered = false;
    if (!fired.empty()) out.push_back(report(alert.id, false, fired));
    if (!ended.empty()) out.push_back(report(alert.id, true, ended));
  }
  std::stable_sort(out.begin(), out.end(), [](const AlertReport& a, const AlertReport& b) {
    return info(a.alert).severity > info(b.alert).severity;
  });
  return out;
}

void AlertBook::delivered() {
  for (PerAlert& book : alerts_) {
    for (Subject& subject : book.subjects) subject.flags &= kFiredUndelivered | kOverUndelivered;
  }
}

void AlertBook::not_delivered() {
  for (PerAlert& book : alerts_) {
    for (Subject& subject : book.subjects) {
      subject.flags = static_cast<unsigned char>((subject.flags | subject.flags >> 2U) &
                                                 (kFiredUndelivered | kOverUndelivered));
      book.has_undelivered = book.has_undelivered || subject.flags != 0;
    }
  }
}

bool AlertBook::has_undelivered() const {
  return std::any_of(alerts_.begin(), alerts_.end(),
                     [](const PerAlert& book) { return book.has_undelivered; });
}

}  // namespace mdpipe::agent

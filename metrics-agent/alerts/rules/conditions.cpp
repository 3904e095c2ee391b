#include "metrics-agent/alerts/rules/conditions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "libshared/event/event.hpp"
#include "libshared/metrics/drop_reason.hpp"
#include "metrics-agent/store/merged.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;
using std::chrono::minutes;

constexpr std::size_t kSubjectBytesMax = 200;
constexpr double kNearlyFull = 0.9;  // of Redis's maxmemory; md-publisher logs a warning at the same value

constexpr LabelMask kFirstLabel = 1, kFirstTwoLabels = 3, kFirstThreeLabels = 7;
constexpr LabelMask kAllButSymbol = 0b10111;  // of the dropped events: component, exchange, channel, reason

// Order book events that are left out on purpose are no loss: the book is complete again with its next
// snapshot, and until then the feed is in a gap, which is another alert. A reason of a newer component counts
// as a loss.
bool is_loss(const SeriesKey& key) {
  const auto* reason = metrics::find_drop_reason(key.labels.back());
  return reason == nullptr || reason->is_loss();
}

double unless_one(double value) { return value == 1 ? 0 : 1; }
double as_it_is(double value) { return value; }
double negated(double value) { return -value; }

// Trades may be rare; tickers and books arrive without them.
bool must_come(std::string_view channel) {
  return channel == to_string(EventType::Ticker) || channel == to_string(EventType::OrderBook);
}

// The beginning of the text that fits, without a partial UTF-8 character.
std::string cut(std::string text) {
  if (text.size() <= kSubjectBytesMax) return text;
  std::size_t end = kSubjectBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  text.resize(end);
  return text;
}

}  // namespace

Conditions::Conditions(const SnapshotStore& store, std::string_view own_component)
    : store_(store),
      own_component_(own_component),
      received_(Metric::MessagesReceived, kFirstLabel, minutes(1)),
      published_(Metric::MessagesPublished, kFirstLabel, minutes(1)) {
  counters_ = {
      {AlertId::EventsDropped, {Metric::DroppedEvents, kAllButSymbol, minutes(5), is_loss}},
      {AlertId::RedisLostEvents, {Metric::RedisLostEvents, kFirstLabel, minutes(5)}},
      {AlertId::StreamCut, {Metric::StreamEntriesRemoved, kFirstLabel, minutes(5)}},
      {AlertId::Errors, {Metric::Errors, kFirstTwoLabels, minutes(5)}},
      {AlertId::Reconnecting, {Metric::Reconnects, kFirstLabel, minutes(10)}},
      {AlertId::ForwardFailing, {Metric::ForwardErrors, kFirstLabel, minutes(5)}},
      {AlertId::ForwardDropped, {Metric::ForwardDroppedPoints, kFirstTwoLabels, minutes(5)}},
      {AlertId::SeriesRefused, {Metric::MetricSeriesDropped, kFirstLabel, minutes(5)}},
  };
  gauges_ = {
      {AlertId::RedisDown, Metric::RedisUp, unless_one, {}},
      {AlertId::ExchangeDown, Metric::ConnectionUp, unless_one, {}},
      {AlertId::Backlog, Metric::UnconfirmedEvents, as_it_is, {}},
      {AlertId::ClockBehind, Metric::ClockOffset, negated, {}},
  };
}

void Conditions::update(SteadyTime now) {
  sort_new_cells();
  update_sources();
  update_gauges();
  update_memory();
  update_feeds();
  for (auto& [alert, growth] : counters_) {
    growth.update(store_, now);
    of(alert) = growth.grown();
  }
  received_.update(store_, now);
  published_.update(store_, now);
  update_published();
  latency_.update(store_, now);
  of(AlertId::PublishSlow) = latency_.p99_seconds();
}

void Conditions::sort_new_cells() {
  source_is_known_.resize(store_.sources().size(), false);
  for (; cells_sorted_ < store_.cells().size(); ++cells_sorted_) {
    const Cell& cell = store_.cells()[cells_sorted_];
    const auto index = static_cast<CellIndex>(cells_sorted_);
    const SeriesKey key = store_.key(cell);
    const bool is_known = source_is_known_[cell.source];
    const std::uint64_t before = is_known ? 0 : cell.total();
    for (auto& [alert, growth] : counters_) {
      if (growth.counts_series(key)) growth.add(key, index, before);
    }
    if (received_.counts_series(key)) received_.add(key, index, before);
    if (published_.counts_series(key)) published_.add(key, index, before);
    if (key.info->metric == Metric::PublishLatency) latency_.add(key, index, cell, is_known);
  }
  for (; series_sorted_ < store_.series().size(); ++series_sorted_) {
    const auto series = static_cast<SeriesIndex>(series_sorted_);
    const Metric metric = store_.series().info(series).metric;
    for (GaugeAlert& gauge : gauges_) {
      if (gauge.metric == metric) gauge.series.push_back(series);
    }
    if (metric == Metric::FeedState) feeds_.push_back(series);
    if (metric == Metric::RedisMemoryUsed) memory_used_.push_back(series);
    if (metric == Metric::RedisMemoryMax) memory_max_.push_back(series);
  }
  for (std::size_t i = 0; i < store_.sources().size(); ++i) {
    if (store_.sources()[i].synced) source_is_known_[i] = true;
  }
}

// A component that said goodbye was stopped on purpose.
void Conditions::update_sources() {
  auto& down = of(AlertId::ComponentDown);
  down.resize(store_.sources().size());
  bool is_alone = true;
  for (std::size_t i = 0; i < down.size(); ++i) {
    const Source& source = store_.sources()[i];
    const bool is_own = source.component == own_component_;
    is_alone = is_alone && is_own;
    down[i] = !is_own && !source.up && !source.said_goodbye ? 1 : 0;
  }
  of(AlertId::NoComponents).assign(1, is_alone ? 1 : 0);
}

void Conditions::update_gauges() {
  for (const GaugeAlert& gauge : gauges_) {
    auto& values = of(gauge.alert);
    values.resize(gauge.series.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto number = merge(store_, gauge.series[i]).number;
      values[i] = number ? gauge.badness(*number) : kUnknown;
    }
  }
}

// Without a maxmemory (0) Redis has no limit.
void Conditions::update_memory() {
  auto& full = of(AlertId::RedisNearlyFull);
  full.resize(memory_used_.size());
  for (std::size_t i = 0; i < full.size(); ++i) {
    const auto& labels = store_.series()[memory_used_[i]].labels;
    const auto of_same = [&](SeriesIndex series) { return store_.series()[series].labels == labels; };
    const auto max_series = std::find_if(memory_max_.begin(), memory_max_.end(), of_same);
    const auto used = merge(store_, memory_used_[i]).number;
    const auto max = max_series == memory_max_.end() ? std::nullopt : merge(store_, *max_series).number;
    full[i] = !used || !max ? kUnknown : (*max > 0 && *used > kNearlyFull * *max ? 1 : 0);
  }
}

void Conditions::update_feeds() {
  auto& stale = of(AlertId::FeedStale);
  auto& pending = of(AlertId::FeedPending);
  stale.resize(feeds_.size());
  pending.resize(feeds_.size());
  for (std::size_t i = 0; i < feeds_.size(); ++i) {
    const auto number = merge(store_, feeds_[i]).number;
    const auto is = [&number](FeedState state) { return number && *number == static_cast<double>(state); };
    stale[i] = is(FeedState::Stale) || is(FeedState::Gap) ? 1 : 0;
    pending[i] = is(FeedState::Pending) && must_come(store_.series()[feeds_[i]].labels[1]) ? 1 : 0;
  }
}

// The number of received events if nothing was published; otherwise 0.
void Conditions::update_published() {
  auto& values = of(AlertId::NothingPublished);
  values = received_.grown();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t same = published_.groups().find(received_.groups().name(i));
    if (same < published_.grown().size() && published_.grown()[same] > 0) values[i] = 0;
  }
}

const std::vector<double>& Conditions::values(AlertId alert) const {
  return values_[static_cast<std::size_t>(alert)];
}

std::string Conditions::subject(AlertId alert, std::size_t index) const {
  if (alert == AlertId::ComponentDown) {
    const Source& source = store_.sources()[index];
    return cut(fmt::format("{} {}", source.component, source.name));
  }
  if (alert == AlertId::NoComponents) return own_component_;
  if (alert == AlertId::FeedStale || alert == AlertId::FeedPending)
    return cut(joined_labels(store_.series()[feeds_[index]], kFirstThreeLabels));
  if (alert == AlertId::RedisNearlyFull)
    return cut(joined_labels(store_.series()[memory_used_[index]], kFirstLabel));
  if (alert == AlertId::NothingPublished) return cut(received_.groups().name(index));
  if (alert == AlertId::PublishSlow) return cut(latency_.groups().name(index));
  for (const auto& counter : counters_) {
    if (counter.alert == alert) return cut(counter.growth.groups().name(index));
  }
  for (const auto& gauge : gauges_) {
    if (gauge.alert == alert) return cut(joined_labels(store_.series()[gauge.series[index]], kFirstLabel));
  }
  return {};
}

}  // namespace mdpipe::agent

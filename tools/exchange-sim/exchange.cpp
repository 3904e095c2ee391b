#include "tools/exchange-sim/exchange.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "tools/exchange-sim/known_symbols.hpp"

namespace mdpipe::sim {
namespace {

// Most events of a busy market are trades.
std::int64_t weight_of(Kind kind) { return kind == Kind::Trade ? 6 : 2; }

}  // namespace

Exchange::Exchange(const ExchangeOptions& config)
    : config_(config),
      venue_(make_venue(config.exchange, config.symbols, config.requests_per_second)),
      trades_per_event_max_(habits_of(config.exchange).trades_per_event_max),
      random_(config.seed ^ hash_of(config.exchange)),
      has_book_stream_(config.symbols.size(), false) {
  set_events_per_snapshot(config.events_per_snapshot);
  markets_.reserve(config.symbols.size());
  for (const std::string& symbol : config.symbols) {
    markets_.emplace_back(spec_of(config.exchange, symbol), config.seed, config.book_levels);
  }
}

void Exchange::set_streams(const std::vector<const Session*>& sessions) {
  std::vector<Stream> wanted;
  std::unordered_set<std::string> keys;
  const auto want = [&](const Stream& stream) {
    if (stream.symbol != Stream::kNoSymbol && keys.insert(stream.key).second) wanted.push_back(stream);
  };
  if (config_.runs_unwatched) {
    for (const Group& group : groups_) std::for_each(group.streams.begin(), group.streams.end(), want);
    for (const Timed& timed : timed_) want(timed.stream);
  }
  for (const Session* session : sessions)
    std::for_each(session->streams.begin(), session->streams.end(), want);
  const std::vector<Timed> before = std::move(timed_);
  groups_.clear();
  group_index_.clear();
  timed_.clear();
  std::fill(has_book_stream_.begin(), has_book_stream_.end(), false);
  for (const Stream& stream : wanted) add_stream(stream, before);
  weight_total_ = 0;
  for (const Group& group : groups_) weight_total_ += weight_of(group.kind);
}

void Exchange::add_stream(const Stream& stream, const std::vector<Timed>& before) {
  if (stream.kind == Kind::TimedSnapshot) {
    const auto known = std::find_if(before.begin(), before.end(),
                                    [&stream](const Timed& t) { return t.stream.key == stream.key; });
    // The first one comes earlier than the others, as on the exchange.
    timed_.push_back(
        {stream, known != before.end() ? known->due : steps_ + config_.events_per_snapshot / 5 + 1});
    return;
  }
  if (stream.kind == Kind::Book) has_book_stream_[stream.symbol] = true;
  const auto [at, is_new] = group_index_.try_emplace({stream.symbol, stream.kind}, groups_.size());
  if (is_new) groups_.push_back({stream.symbol, stream.kind, {}});
  groups_[at->second].streams.push_back(stream);
}

const Exchange::Group& Exchange::pick() {
  std::int64_t at = random_.below(weight_total_);
  for (const Group& group : groups_) {
    at -= weight_of(group.kind);
    if (at < 0) return group;
  }
  return groups_.back();
}

MarketEvent Exchange::make_event(const Group& group, UnixNanos now) {
  Market& market = markets_[group.symbol];
  MarketEvent event;
  event.kind = group.kind;
  event.time = now;
  switch (group.kind) {
    case Kind::Trade:
      event.trades = market.trade(trades_per_event_max_);
      break;
    case Kind::Ticker:
      market.next_ticker_id();
      break;
    case Kind::Quote:
      market.advance();
      break;
    case Kind::Book:
      do {
        market.advance();
      } while (market.pending_changes() == 0);  // this loop ends, because most changes resize a level
      event.changes = market.take_changes();
      break;
    case Kind::TimedSnapshot:
      break;
  }
  // Changes wait for the next delta. If no client wants deltas, they would only accumulate.
  if (!has_book_stream_[group.symbol]) market.take_changes();
  return event;
}

void Exchange::render(const Stream& stream, const MarketEvent& event) {
  bodies_.clear();
  venue_->render(stream, markets_[stream.symbol], event, bodies_);
  for (std::string& body : bodies_) frames_.push_back({stream.key, stream.symbol, std::move(body)});
}

void Exchange::render_due_snapshots(UnixNanos now) {
  for (Timed& timed : timed_) {
    if (timed.due > steps_) continue;
    timed.due = steps_ + config_.events_per_snapshot;
    MarketEvent event;
    event.kind = Kind::TimedSnapshot;
    event.time = now;
    render(timed.stream, event);
  }
}

const std::vector<Frame>& Exchange::next(UnixNanos now) {
  frames_.clear();
  ++steps_;
  if (!groups_.empty()) {
    ++events_;
    const Group& group = pick();
    const MarketEvent event = make_event(group, now);
    for (const Stream& stream : group.streams) render(stream, event);
  }
  render_due_snapshots(now);
  return frames_;
}

}  // namespace mdpipe::sim

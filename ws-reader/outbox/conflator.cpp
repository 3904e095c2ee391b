#include "ws-reader/outbox/conflator.hpp"

#include <algorithm>

namespace mdpipe::reader {
namespace {

// Calls `visit` with each text of an event: once to measure them, and once to move them.
template <typename Visit>
void visit_texts(Event& event, std::vector<Level>& levels, Visit visit) {
  visit(event.exchange);
  visit(event.symbol);
  if (auto* ticker = std::get_if<Ticker>(&event.body)) {
    for (Decimal* text :
         {&ticker->bid, &ticker->ask, &ticker->last, &ticker->high, &ticker->low, &ticker->volume})
      visit(*text);
  }
  for (Level& level : levels) {
    visit(level.price);
    visit(level.size);
  }
}

bool is_delta(const Event& event) {
  const auto* book = std::get_if<OrderBook>(&event.body);
  return book != nullptr && book->kind == BookKind::Delta;
}

}  // namespace

Conflator::Conflator(const std::vector<EventType>& types, std::chrono::nanoseconds behind_limit)
    : types_(types), behind_limit_(behind_limit) {}

bool Conflator::hold(const Event& event, std::chrono::nanoseconds backlog_age, bool is_kept_elsewhere,
                     bool& replaced) {
  if (types_.empty() || backlog_age < behind_limit_ || (is_delta(event) && !is_kept_elsewhere) ||
      std::find(types_.begin(), types_.end(), event.type()) == types_.end())
    return false;
  const std::pair<EventType, std::string> key(event.type(), event.symbol);
  Held& held = held_[key];
  replaced = held.present;
  if (!held.present) ++held_count_;
  copy(event, is_kept_elsewhere, held);
  return true;
}

void Conflator::copy(const Event& event, bool is_kept_elsewhere, Held& held) {
  held.present = true;
  held.is_kept_elsewhere = is_kept_elsewhere;
  held.event = event;
  held.levels.clear();
  if (auto* book = std::get_if<OrderBook>(&held.event.body)) {
    if (is_kept_elsewhere) book->bids = book->asks = {};
    held.levels.insert(held.levels.end(), book->bids.begin(), book->bids.end());
    held.levels.insert(held.levels.end(), book->asks.begin(), book->asks.end());
    book->bids.data = held.levels.data();
    book->asks.data = held.levels.data() + book->bids.size;
    book->mid_price = {};
  }
  std::size_t bytes = 0;
  visit_texts(held.event, held.levels, [&bytes](std::string_view text) { bytes += text.size(); });
  held.text.clear();
  held.text.reserve(bytes);  // so that it is not reallocated while views into it are made
  visit_texts(held.event, held.levels, [&held](std::string_view& text) {
    const std::size_t at = held.text.size();
    held.text.append(text);
    text = std::string_view(held.text).substr(at, text.size());
  });
}

void Conflator::release(std::chrono::nanoseconds backlog_age, const Emit& emit) {
  if (held_count_ == 0 || backlog_age >= behind_limit_) return;
  for (auto& [key, held] : held_) {
    if (!held.present) continue;
    held.present = false;
    --held_count_;
    emit(held.event, held.is_kept_elsewhere);
  }
}

}  // namespace mdpipe::reader

#include "ws-reader/books/order_book.hpp"

#include <algorithm>
#include <iterator>

#include "libshared/event/decimal.hpp"

namespace mdpipe::reader {

bool is_crossed(const OrderBook& book) {
  if (book.bids.size == 0 || book.asks.size == 0) return false;
  const Decimal bid = book.bids.data->price;
  const Decimal ask = book.asks.data->price;
  const auto bid_key = price_key(bid);
  const auto ask_key = price_key(ask);
  return bid_key && ask_key ? *bid_key >= *ask_key : compare_decimals(bid, ask) >= 0;
}

std::optional<PriceKey> BookSide::rank_of(Decimal price) const {
  const auto key = price_key(price);
  if (!key) return std::nullopt;
  return order_ == Order::HighestFirst ? *key : -*key;
}

std::uint32_t BookSide::take_slot() {
  if (!free_slots_.empty()) {
    const std::uint32_t slot = free_slots_.back();
    free_slots_.pop_back();
    return slot;
  }
  if (slots_used_ == texts_.size()) texts_.emplace_back();
  return slots_used_++;
}

bool BookSide::write(std::uint32_t slot, const Level& level) {
  if (level.price.size() + level.size.size() > kTextMax) return false;
  Text& text = texts_[slot];
  text.price_chars = static_cast<std::uint8_t>(level.price.size());
  text.size_chars = static_cast<std::uint8_t>(level.size.size());
  std::copy(level.size.begin(), level.size.end(),
            std::copy(level.price.begin(), level.price.end(), text.chars.begin()));
  return true;
}

Level BookSide::level_at(std::uint32_t slot) const {
  const Text& text = texts_[slot];
  return {{text.chars.data(), text.price_chars}, {text.chars.data() + text.price_chars, text.size_chars}};
}

void BookSide::remove(std::vector<Entry>::iterator at) {
  free_slots_.push_back(at->slot);
  entries_.erase(at);
}

bool BookSide::set(const Level& level) {
  const auto rank = rank_of(level.price);
  if (!rank) return false;
  const auto at = std::lower_bound(entries_.begin(), entries_.end(), *rank,
                                   [](const Entry& entry, PriceKey wanted) { return entry.rank < wanted; });
  const bool known = at != entries_.end() && at->rank == *rank;
  if (is_zero(level.size)) {
    if (known) remove(at);
    return true;
  }
  if (known) return write(at->slot, level);
  if (entries_.size() == levels_max_ && at == entries_.begin()) {  // worse than every level
    ++levels_cut_;
    return true;
  }
  const std::uint32_t slot = take_slot();
  entries_.insert(at, {*rank, slot});
  if (entries_.size() > levels_max_) {
    remove(entries_.begin());
    ++levels_cut_;
  }
  return write(slot, level);
}

bool BookSide::replace(const Levels& levels) {
  clear();
  // Levels that arrive best first are appended and reversed at the end. Of equal prices the last one counts.
  const Level* level = levels.begin();
  for (; level != levels.end() && entries_.size() < levels_max_; ++level) {
    const auto rank = rank_of(level->price);
    if (!rank) return false;
    if (!entries_.empty() && *rank > entries_.back().rank) break;
    if (!entries_.empty() && *rank == entries_.back().rank) remove(std::prev(entries_.end()));
    if (is_zero(level->size)) continue;
    entries_.push_back({*rank, take_slot()});
    if (!write(entries_.back().slot, *level)) return false;
  }
  std::reverse(entries_.begin(), entries_.end());
  return std::all_of(level, levels.end(), [this](const Level& rest) { return set(rest); });
}

void BookSide::clear() {
  entries_.clear();
  free_slots_.clear();
  slots_used_ = 0;
}

std::optional<PriceKey> BookSide::best_key() const {
  if (entries_.empty()) return std::nullopt;
  const PriceKey rank = entries_.back().rank;
  return order_ == Order::HighestFirst ? rank : -rank;
}

std::optional<Level> BookSide::best() const {
  if (entries_.empty()) return std::nullopt;
  return level_at(entries_.back().slot);
}

void BookSide::append_best_first(std::vector<Level>& out) const {
  for (auto at = entries_.rbegin(); at != entries_.rend(); ++at) out.push_back(level_at(at->slot));
}

bool KeptBook::apply(const OrderBook& event) {
  if (event.kind == BookKind::Snapshot) return bids_.replace(event.bids) && asks_.replace(event.asks);
  return std::all_of(event.bids.begin(), event.bids.end(), [this](const Level& l) { return bids_.set(l); }) &&
         std::all_of(event.asks.begin(), event.asks.end(), [this](const Level& l) { return asks_.set(l); });
}

void KeptBook::clear() {
  bids_.clear();
  asks_.clear();
}

bool KeptBook::is_crossed() const {
  const auto bid = bids_.best_key();
  const auto ask = asks_.best_key();
  return bid && ask && *bid >= *ask;
}

bool KeptBook::mid_agrees(Decimal mid) {
  const auto bid = bids_.best_key();
  const auto ask = asks_.best_key();
  if (mid.empty() || !bid || !ask) return true;
  const auto key = price_key(mid);
  if (!key) return false;
  for (const Decimal price : {mid, bids_.best()->price, asks_.best()->price})
    decimals_ = std::max(decimals_, decimals_of(price));
  const PriceKey rest = *bid + *ask - *key - *key;
  return rest == 0 || rest == unit_of(decimals_);  // half a tick was rounded off
}

OrderBook KeptBook::levels() {
  shown_bids_.clear();
  shown_asks_.clear();
  bids_.append_best_first(shown_bids_);
  asks_.append_best_first(shown_asks_);
  OrderBook book;
  book.bids = {shown_bids_.data(), shown_bids_.size()};
  book.asks = {shown_asks_.data(), shown_asks_.size()};
  return book;
}

}  // namespace mdpipe::reader

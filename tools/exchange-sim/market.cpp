#include "tools/exchange-sim/market.hpp"

#include <algorithm>
#include <utility>

namespace mdpipe::sim {
namespace {

constexpr std::int64_t kGapTicksMax = 20;  // between two neighbouring levels
constexpr std::int64_t kSizeStepsMax = 2000;
constexpr std::int64_t kTouchDepth = 10;  // most changes are this close to the best price

std::int64_t power_of_ten(int exponent) {
  std::int64_t power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

}  // namespace

Market::Market(SymbolSpec spec, std::uint64_t seed, std::size_t levels_max)
    : spec_(std::move(spec)),
      random_(seed ^ hash_of(spec_.name)),
      levels_max_(std::max<std::size_t>(levels_max, 2)),
      update_id_(spec_.first_update_id),
      taken_id_(spec_.first_update_id) {
  std::int64_t bid = spec_.start_price - gap();
  std::int64_t ask = spec_.start_price + gap();
  for (std::size_t i = 0; i < levels_max_ && bid > 0; ++i) {
    bids_[bid] = random_size();
    asks_[ask] = random_size();
    bid -= gap();
    ask += gap();
  }
  const std::int64_t volume_start = 1104 * power_of_ten(spec_.size_decimals);
  day_ = DayNumbers{
      spec_.start_price, spec_.start_price, spec_.start_price, spec_.start_price, volume_start, 0, 0};
}

std::int64_t Market::gap() { return spec_.tick * (1 + random_.below(kGapTicksMax)); }

std::int64_t Market::random_size() { return spec_.size_step * (1 + random_.below(kSizeStepsMax)); }

void Market::set_bid(std::int64_t price, std::int64_t size) {
  if (size == 0) {
    bids_.erase(price);
  } else {
    bids_[price] = size;
  }
  pending_bids_[price] = size;
  ++update_id_;
}

void Market::set_ask(std::int64_t price, std::int64_t size) {
  if (size == 0) {
    asks_.erase(price);
  } else {
    asks_[price] = size;
  }
  pending_asks_[price] = size;
  ++update_id_;
}

void Market::advance() {
  const std::int64_t count = 1 + random_.below(4);
  for (std::int64_t i = 0; i < count; ++i) change_one();
}

void Market::change_one() {
  switch (random_.below(10)) {
    case 0:
      remove_level();
      break;
    case 1:
      insert_level();
      break;
    case 2:
    case 3:
      move_price();
      break;
    default:
      resize_level();
  }
  keep_depth();
}

void Market::resize_level() {
  const auto depth =
      std::min<std::int64_t>(kTouchDepth, static_cast<std::int64_t>(std::min(bids_.size(), asks_.size())));
  const std::int64_t at = random_.below(depth);
  if (random_.below(2) == 0) {
    set_bid(std::next(bids_.begin(), at)->first, random_size());
  } else {
    set_ask(std::next(asks_.begin(), at)->first, random_size());
  }
}

void Market::remove_level() {
  const bool on_bids = random_.below(2) == 0;
  const std::size_t size = on_bids ? bids_.size() : asks_.size();
  if (size <= levels_max_ / 2 + 1) return;
  const std::int64_t at = random_.below(std::min<std::int64_t>(kTouchDepth, static_cast<std::int64_t>(size)));
  if (on_bids) {
    set_bid(std::next(bids_.begin(), at)->first, 0);
  } else {
    set_ask(std::next(asks_.begin(), at)->first, 0);
  }
}

void Market::insert_level() {
  const std::int64_t distance = spec_.tick * (1 + random_.below(kGapTicksMax * kTouchDepth));
  if (random_.below(2) == 0) {
    if (best_ask() > distance) set_bid(best_ask() - distance, random_size());
  } else {
    set_ask(best_bid() + distance, random_size());
  }
}

// Up: the best ask is consumed and a better bid appears; down: the reverse. Far from its start, the price is
// pulled back.
void Market::move_price() {
  bool up = random_.below(2) == 0;
  if (best_bid() < spec_.start_price / 10 * 9) up = true;
  if (best_ask() > spec_.start_price / 10 * 11) up = false;
  if (up && asks_.size() > 1) {
    set_ask(best_ask(), 0);
    const std::int64_t better = best_bid() + gap();
    if (better < best_ask()) set_bid(better, random_size());
  } else if (!up && bids_.size() > 1) {
    set_bid(best_bid(), 0);
    const std::int64_t better = best_ask() - gap();
    if (better > best_bid()) set_ask(better, random_size());
  }
}

void Market::keep_depth() {
  while (bids_.size() > levels_max_) set_bid(bids_.rbegin()->first, 0);
  while (asks_.size() > levels_max_) set_ask(asks_.rbegin()->first, 0);
  const std::size_t least = levels_max_ / 2 + 1;
  while (bids_.size() < least && bids_.rbegin()->first > spec_.tick * kGapTicksMax) {
    set_bid(bids_.rbegin()->first - gap(), random_size());
  }
  while (asks_.size() < least) set_ask(asks_.rbegin()->first + gap(), random_size());
}

std::vector<Trade> Market::trade(std::size_t count_max) {
  if (random_.below(4) == 0) advance();
  const std::size_t count =
      count_max > 1 && random_.below(8) == 0
          ? 1 + static_cast<std::size_t>(random_.below(static_cast<std::int64_t>(count_max)))
          : 1;
  const bool is_buy = random_.below(2) == 0;
  std::int64_t price = is_buy ? best_ask() : best_bid();
  std::vector<Trade> trades;
  for (std::size_t i = 0; i < count; ++i) {
    Trade trade;
    trade.number = ++trades_;
    trade.id = spec_.first_trade_id + trades_ - 1;
    trade.price = price;
    trade.is_buy = is_buy;
    trade.size = random_size();
    if (spec_.number_in_size) {
      const std::int64_t whole = power_of_ten(spec_.size_decimals);
      trade.size = random_.below(10) * whole + static_cast<std::int64_t>(trade.number) % whole;
    }
    trades.push_back(trade);
    price = is_buy ? price + spec_.tick * random_.below(2)
                   : std::max(spec_.tick, price - spec_.tick * random_.below(2));
    day_.last = trade.price;
    day_.high = std::max(day_.high, trade.price);
    day_.low = std::min(day_.low, trade.price);
    day_.volume += trade.size;
    // Only for show: whole prices times whole sizes, so that it cannot overflow.
    day_.quote_volume += trade.price / power_of_ten(spec_.price_decimals) *
                         std::max<std::int64_t>(1, trade.size / power_of_ten(spec_.size_decimals));
  }
  return trades;
}

BookChanges Market::take_changes() {
  BookChanges changes;
  changes.first_id = taken_id_ + 1;
  changes.last_id = update_id_;
  changes.bids.reserve(pending_bids_.size());
  changes.asks.reserve(pending_asks_.size());
  for (const auto& [price, size] : pending_bids_) changes.bids.push_back({price, size});
  for (const auto& [price, size] : pending_asks_) changes.asks.push_back({price, size});
  pending_bids_.clear();
  pending_asks_.clear();
  taken_id_ = update_id_;
  return changes;
}

}  // namespace mdpipe::sim

#pragma once
// The simulated market of one symbol: a random walk of a book with integer prices and sizes, its trades and
// its statistics of the day. The same seed gives the same walk. It knows no exchange's format, no clock and
// no subscribers.
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tools/exchange-sim/random.hpp"

namespace mdpipe::sim {

// Prices and sizes count units of 10^-decimals; `tick` and `size_step` are the grid they move on.
struct SymbolSpec {
  std::string name;
  std::int64_t start_price = 0;
  std::int64_t tick = 1;
  int price_decimals = 0;
  int size_decimals = 8;
  std::int64_t size_step = 1;
  std::uint64_t first_trade_id = 1;
  std::uint64_t first_update_id = 1;
  // Writes the trade's number into its size: the last `size_decimals` digits are the number, from 1 upwards.
  bool number_in_size = false;
};

struct Level {
  std::int64_t price;
  std::int64_t size;  // 0: removed
};

// What changed since the last take_changes(), newest size of each price; ids are those of the first and last
// change.
struct BookChanges {
  std::uint64_t first_id = 0;
  std::uint64_t last_id = 0;
  std::vector<Level> bids;
  std::vector<Level> asks;
};

struct Trade {
  std::uint64_t number = 0;  // 1, 2, 3, ... of this symbol
  std::uint64_t id = 0;
  std::int64_t price = 0;
  std::int64_t size = 0;
  bool is_buy = false;
};

struct DayNumbers {
  std::int64_t open = 0, high = 0, low = 0, last = 0, volume = 0, quote_volume = 0;
  std::uint64_t ticks = 0;
};

class Market {
 public:
  using Bids = std::map<std::int64_t, std::int64_t, std::greater<>>;
  using Asks = std::map<std::int64_t, std::int64_t>;

  // `levels_max` bounds each side of the book.
  Market(SymbolSpec spec, std::uint64_t seed, std::size_t levels_max);

  // One to four changes of the book.
  void advance();

  // One to `count_max` trades of one taker, each at the touch or beyond.
  std::vector<Trade> trade(std::size_t count_max);

  // Returns what changed since the last call, and forgets it; first_id follows the last call's last_id.
  BookChanges take_changes();
  [[nodiscard]] std::size_t pending_changes() const { return pending_bids_.size() + pending_asks_.size(); }

  [[nodiscard]] const SymbolSpec& spec() const { return spec_; }
  [[nodiscard]] const Bids& bids() const { return bids_; }
  [[nodiscard]] const Asks& asks() const { return asks_; }
  [[nodiscard]] std::int64_t best_bid() const { return bids_.begin()->first; }
  [[nodiscard]] std::int64_t best_ask() const { return asks_.begin()->first; }
  [[nodiscard]] std::uint64_t update_id() const { return update_id_; }
  [[nodiscard]] const DayNumbers& day() const { return day_; }
  std::uint64_t next_ticker_id() { return ++day_.ticks; }

 private:
  void change_one();
  void resize_level();
  void remove_level();
  void insert_level();
  void move_price();
  void keep_depth();
  void set_bid(std::int64_t price, std::int64_t size);
  void set_ask(std::int64_t price, std::int64_t size);
  std::int64_t gap();
  std::int64_t random_size();

  SymbolSpec spec_;
  Random random_;
  std::size_t levels_max_;
  Bids bids_, pending_bids_;
  Asks asks_, pending_asks_;
  std::uint64_t update_id_, taken_id_, trades_ = 0;
  DayNumbers day_;
};

}  // namespace mdpipe::sim

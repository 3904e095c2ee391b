#include "tools/exchange-sim/simulator_settings.hpp"

namespace mdpipe::sim {
namespace {

constexpr double kFlatOutRate = 20'000;  // what "seconds" means for timed snapshots when there is no rate

}  // namespace

MisbehaviourOptions misbehaviour_of(const Options& o) {
  MisbehaviourOptions config;
  config.close_after = unsigned_of(o.close_after);
  config.drop_after = unsigned_of(o.drop_after);
  config.silence_after = unsigned_of(o.silence_after);
  config.silence_symbol = o.silence_symbol;
  config.silence_symbol_after = unsigned_of(o.silence_symbol_after);
  config.garbage_every = unsigned_of(o.garbage_every);
  config.bomb_after = unsigned_of(o.bomb_after);
  config.skip_delta_every = unsigned_of(o.skip_delta_every);
  config.cross_book_every = unsigned_of(o.cross_book_every);
  config.wrong_mid_every = unsigned_of(o.wrong_mid_every);
  return config;
}

std::uint64_t events_per_snapshot(const Options& o, double rate) {
  const double seconds = std::chrono::duration<double>(o.snapshot_interval).count();
  return static_cast<std::uint64_t>((rate > 0 ? rate : kFlatOutRate) * seconds) + 1;
}

ExchangeOptions exchange_config_of(const Options& o) {
  ExchangeOptions config;
  config.exchange = o.exchange;
  config.symbols = o.symbols;
  config.seed = unsigned_of(o.seed);
  config.book_levels = static_cast<std::size_t>(o.book_levels);
  config.requests_per_second = static_cast<std::size_t>(o.requests_per_second);
  config.events_per_snapshot = events_per_snapshot(o, o.rate);
  config.runs_unwatched = o.run_unwatched;
  return config;
}

Burst burst_of(const Options& o) { return {o.burst, o.burst_every, o.burst_length}; }

}  // namespace mdpipe::sim

#pragma once
// Which events of the exchange are collected. Distinguishes what was never asked for, which deserves a
// warning, from what was asked for until a moment ago: the exchange sends it until it has processed the
// request to stop.
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/event/event.hpp"
#include "libshared/intern/string_index.hpp"
#include "ws-reader/venues/adapter.hpp"

namespace mdpipe::reader {

class WantedFeeds {
 public:
  enum class Verdict { Wanted, NoLonger, Unknown };

  // Every channel of these symbols; if there are none, everything.
  explicit WantedFeeds(const std::vector<std::string>& symbols)
      : symbols_(std::numeric_limits<std::uint32_t>::max()) {
    for (const auto& symbol : symbols) ended_of(symbol);
  }

  void add(const venues::Subscription& feed) { ended_of(feed.symbol) &= ~bit(feed.channel); }
  void remove(const venues::Subscription& feed) { ended_of(feed.symbol) |= bit(feed.channel); }

  [[nodiscard]] Verdict judge(EventType channel, std::string_view symbol) const {
    if (ended_.empty()) return Verdict::Wanted;
    const auto id = symbols_.find(symbol);
    if (!id) return Verdict::Unknown;
    return (ended_[*id] & bit(channel)) != 0 ? Verdict::NoLonger : Verdict::Wanted;
  }

 private:
  static std::uint32_t bit(EventType channel) { return 1U << static_cast<unsigned>(channel); }
  std::uint32_t& ended_of(std::string_view symbol) {
    const std::uint32_t id = *symbols_.find_or_add(symbol);
    if (id == ended_.size()) ended_.push_back(0);
    return ended_[id];
  }

  StringIndex symbols_;
  std::vector<std::uint32_t> ended_;  // by symbol, a bit for each channel that is no longer collected
};

}  // namespace mdpipe::reader

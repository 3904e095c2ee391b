#pragma once
// GMO Coin's public WebSocket: one channel and symbol a request, no acknowledgements, whole books, strings
// everywhere. Facts: https://api.coin.z.com/docs/en/ (read 2026-09-23) and frames recorded the same day.
#include <string>
#include <vector>

#include "tools/exchange-sim/venue.hpp"

namespace mdpipe::sim {

class Gmo : public Venue {
 public:
  Gmo(std::vector<std::string> symbols, std::size_t requests_per_second)
      : symbols_(std::move(symbols)), limits_(requests_per_second) {}

  Reply on_text(Session& session, std::string_view text, SteadyTime now) override;
  void render(const Stream& stream, const Market& market, const MarketEvent& event,
              std::vector<std::string>& frames) const override;
  void cross_book(const Market& market, std::string& frame) const override;
  std::string unknown_channel_frame() const override;

 private:
  std::vector<std::string> symbols_;
  AddressLimits limits_;  // the limit is per address: all connections of one host share it
};

}  // namespace mdpipe::sim

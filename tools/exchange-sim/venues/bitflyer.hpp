#pragma once
// bitFlyer Lightning's realtime API: JSON-RPC 2.0, JSON numbers, book deltas beside snapshots on their own
// clock. Facts: https://bf-lightning-api.readme.io/ (read 2026-09-23) and frames recorded the same day.
#include <string>
#include <vector>

#include "tools/exchange-sim/venue.hpp"

namespace mdpipe::sim {

class Bitflyer : public Venue {
 public:
  explicit Bitflyer(std::vector<std::string> symbols) : symbols_(std::move(symbols)) {}

  Reply on_text(Session& session, std::string_view text, SteadyTime now) override;
  void render(const Stream& stream, const Market& market, const MarketEvent& event,
              std::vector<std::string>& frames) const override;
  void cross_book(const Market& market, std::string& frame) const override;
  bool spoil_mid_price(const Market& market, std::string& frame) const override;
  std::string unknown_channel_frame() const override;

 private:
  // Appends to `answers` unless the call is a notification (has no id).
  void call(Session& session, std::string_view method, std::string_view channel, const std::string& id,
            std::vector<std::string>& answers) const;
  [[nodiscard]] std::optional<Stream> stream_of(std::string_view channel) const;

  std::vector<std::string> symbols_;
};

}  // namespace mdpipe::sim

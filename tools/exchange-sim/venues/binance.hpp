#pragma once
// Binance spot's market streams: stream names in the URL or by SUBSCRIBE, bare or combined frames, deltas
// with consecutive U/u, and the REST depth snapshot that seeds a local book. Facts:
// https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md (read 2026-09-23).
#include <string>
#include <vector>

#include "tools/exchange-sim/venue.hpp"

namespace mdpipe::sim {

class Binance : public Venue {
 public:
  Binance(std::vector<std::string> symbols, std::size_t requests_per_second);

  void on_open(Session& session, std::string_view resource) override;
  Reply on_text(Session& session, std::string_view text, SteadyTime now) override;
  Reply on_control(Session& session, SteadyTime now) override;
  void render(const Stream& stream, const Market& market, const MarketEvent& event,
              std::vector<std::string>& frames) const override;
  void cross_book(const Market& market, std::string& frame) const override;
  std::string wrap(const Session& session, const Stream& stream, std::string body) const override;
  std::optional<HttpReply> on_http(std::string_view resource,
                                   const std::vector<Market>& markets) const override;
  std::optional<std::string> farewell(const Session& session, UnixNanos now) const override;
  std::string unknown_channel_frame() const override;

 private:
  // Every name is accepted; an unknown one gets no data.
  [[nodiscard]] Stream stream_of(const Session& session, std::string_view name) const;
  void subscribe(Session& session, std::string_view name) const;
  void subscribe_all(Session& session, std::string_view names) const;  // separated by '/'

  std::vector<std::string> symbols_, lower_symbols_;
  std::size_t requests_per_second_;
};

}  // namespace mdpipe::sim

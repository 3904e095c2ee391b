// How recordings reach the clients.
#include <utility>

#include "tools/exchange-sim/simulator.hpp"

namespace mdpipe::sim {
namespace {

constexpr std::size_t kReplayPerTurn = 512;  // bounded, so that sockets and signals are served

}  // namespace

void Simulator::start_replay(Client& client, Moment now) {
  if (options_.replay.empty() || client.replay || client.replay_done) return;
  auto opened = Replay::open(options_.replay);
  if (!opened) {
    log::error(opened.error().message, {{"connection", client.session.number}});
    client.replay_done = true;
    return;
  }
  client.replay.emplace(std::move(opened.value()));
  client.replay_start = now.steady;
  log::info("replay starts", {{"connection", client.session.number},
                              {"file", options_.replay},
                              {"recorded_times", client.replay->has_times()},
                              {"speed", options_.speed}});
}

// True: more could be sent at once.
bool Simulator::advance_replay(Client& client, Moment now) {
  if (!client.replay || client.replay_done || client.is_closing || silenced_) return false;
  const bool by_time = client.replay->has_times() && options_.speed > 0;
  std::size_t most = kReplayPerTurn;
  const bool by_rate = !by_time && !client.pacer.is_flat_out();
  if (by_rate) most = client.pacer.due(now.steady, most);
  for (std::size_t i = 0; i < most; ++i) {
    if (!has_room(client) || client.is_closing) return false;
    if (!client.next_frame) {
      auto read = client.replay->next();
      if (!read) log::error(read.error().message, {{"connection", client.session.number}});
      if (!read || !read.value()) {
        client.replay_done = true;
        log::info("replay done", {{"connection", client.session.number}, {"frames", client.rules.sent()}});
        return false;
      }
      client.next_frame = std::move(*read.value());
    }
    if (by_time) {
      const auto offset =
          std::chrono::duration<double, std::nano>(*client.next_frame->offset) / options_.speed;
      if (now.steady - *client.replay_start < offset) return false;
    }
    const std::string symbol = symbol_in(client.next_frame->text);
    deliver(client, symbol, std::move(client.next_frame->text), now, false);
    client.next_frame.reset();
  }
  return !by_rate;
}

// A recorded frame is not parsed: it belongs to the silenced symbol if it contains its name.
std::string Simulator::symbol_in(const std::string& text) const {
  const std::string& symbol = misbehaviour_.silence_symbol;
  return !symbol.empty() && text.find(symbol) != std::string::npos ? symbol : std::string();
}

void Simulator::finish_replay(Client& client, Moment now) {
  if (!client.replay_done || client.replay_drained || !client.held.empty() ||
      client.link->buffered_bytes() > 0)
    return;
  client.replay_drained = true;
  ++stats_.replays_done;
  if (options_.exit_after_replay) begin_close(client, 1000, "end of replay", now, "--exit-after-replay");
}

}  // namespace mdpipe::sim

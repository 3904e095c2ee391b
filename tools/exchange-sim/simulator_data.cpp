// How generated data reaches the clients, and the faults on its way.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tools/exchange-sim/simulator.hpp"
#include "tools/exchange-sim/simulator_settings.hpp"

namespace mdpipe::sim {
namespace {

constexpr std::size_t kEventsPerTurn = 1024;  // bounded, so that sockets and signals are served
constexpr std::size_t kFlatOutPerTurn = 256;

}  // namespace

bool Simulator::has_room(const Client& client) const {
  return client.link->buffered_bytes() + client.held_bytes < options_.buffer.count;
}

bool Simulator::generate(Moment now) {
  if (!exchange_.is_wanted() || stopping_ || silenced_) {
    pacer_.restart();
    return false;
  }
  if (options_.events > 0 && exchange_.events() >= unsigned_of(options_.events)) {
    if (!std::exchange(events_done_logged_, true))
      log::info("all events sent", {{"events", exchange_.events()}});
    return false;
  }
  std::size_t most = kEventsPerTurn;
  if (options_.events > 0)
    most = std::min<std::size_t>(most, unsigned_of(options_.events) - exchange_.events());
  if (pacer_.is_flat_out()) {
    const auto is_full = [this](const auto& entry) {
      return !entry.second.is_closing && !entry.second.session.streams.empty() && !has_room(entry.second);
    };
    std::size_t done = 0;
    while (done < std::min(most, kFlatOutPerTurn) &&
           std::none_of(clients_.begin(), clients_.end(), is_full)) {
      one_event(now);
      ++done;
    }
    return done > 0 && !clients_.empty();
  }
  const std::size_t due = pacer_.due(now.steady, most);
  for (std::size_t i = 0; i < due; ++i) one_event(now);
  return due == kEventsPerTurn;
}

void Simulator::one_event(Moment now) {
  for (const Frame& frame : exchange_.next(now.wall)) {
    const auto found = subscribers_.find(frame.key);
    if (found == subscribers_.end()) continue;
    for (const auto& [client, stream] : found->second) {
      if (client->is_closing) continue;
      std::string body = frame.body;
      if (stream->kind == Kind::Book && !spoil_book(*client, exchange_.markets()[frame.symbol], body, now))
        continue;
      deliver(*client, exchange_.symbols()[frame.symbol],
              exchange_.venue().wrap(client->session, *stream, std::move(body)), now, true);
    }
  }
}

// False: do not send the frame.
bool Simulator::spoil_book(Client& client, const Market& market, std::string& body, Moment now) {
  std::string_view what;
  const BookFault fault = client.rules.next_book_frame();
  switch (fault) {
    case BookFault::None:
      return true;
    case BookFault::Skip:
      ++stats_.skipped_books;
      what = "left out";
      break;
    case BookFault::Cross:
      exchange_.venue().cross_book(market, body);
      ++stats_.crossed_books;
      what = "crossed";
      break;
    case BookFault::WrongMid:
      if (!exchange_.venue().spoil_mid_price(market, body)) return true;
      ++stats_.wrong_mids;
      what = "wrong mid price";
      break;
  }
  sent_.note(client.session.number, now.wall, fmt::format("book of {}: {}", market.spec().name, what));
  log::debug("book frame spoiled on request",
             {{"connection", client.session.number}, {"symbol", market.spec().name}, {"fault", what}});
  return fault != BookFault::Skip;
}

void Simulator::deliver(Client& client, const std::string& symbol, std::string text, Moment now,
                        bool may_drop) {
  if (!client.rules.admits(symbol) || silenced_) {
    ++stats_.swallowed;
    return;
  }
  if (may_drop && !has_room(client)) {
    ++stats_.dropped_full;
    sent_.note(client.session.number, now.wall, "dropped: the buffer is full");
    log_full(now);
    return;
  }
  if (misbehaviour_.garbage_every > 0 || !options_.control.empty()) client.last_good = text;
  ++stats_.frames;
  stats_.bytes += text.size();
  put(client, std::move(text), false, now);
  after_frame(client, now);
}

void Simulator::log_full(Moment now) {
  const auto admitted = full_limit_.admit(now.steady);
  if (!admitted) return;
  log::warn("a client is too slow: frames were dropped",
            {{"dropped", stats_.dropped_full - full_logged_}, {"dropped_total", stats_.dropped_full}});
  full_logged_ = stats_.dropped_full;
}

void Simulator::after_frame(Client& client, Moment now) {
  const Aftermath aftermath = client.rules.after_sending();
  if (aftermath.garbage) send_garbage(client, now);
  if (aftermath.bomb) send_bomb(client, now);
  if (aftermath.drop) begin_drop(client, now, "--drop-after");
  if (aftermath.close)
    begin_close(client, static_cast<int>(options_.close_code), options_.close_reason, now, "--close-after");
}

void Simulator::send_garbage(Client& client, Moment now) {
  const GarbageFrame garbage = garbage_.next(client.last_good);
  ++stats_.garbage;
  log::info("bad frame sent on request", {{"connection", client.session.number},
                                          {"kind", garbage.kind},
                                          {"bytes", garbage.payload.size()},
                                          {"after_frames", client.rules.sent()}});
  sent_.note(client.session.number, now.wall, fmt::format("bad frame: {}", garbage.kind));
  std::string frame;
  append_websocket_frame(garbage.opcode, garbage.payload, false, frame);
  put(client, std::move(frame), true, now);
}

void Simulator::send_bomb(Client& client, Moment now) {
  if (!client.link->is_deflated()) {
    log::warn("no bomb sent: the client did not offer permessage-deflate",
              {{"connection", client.session.number}});
    return;
  }
  ++stats_.bombs;
  log::info("deflate bomb sent on request", {{"connection", client.session.number},
                                             {"bytes", bomb_.size()},
                                             {"inflated_bytes", options_.bomb_bytes.count}});
  sent_.note(client.session.number, now.wall, "deflate bomb");
  put(client, bomb_, true, now);
}

void Simulator::put(Client& client, std::string bytes, bool is_frame, Moment now) {
  const bool holds = options_.delay.count() > 0 || options_.slow_bytes_per_second > 0;
  if (holds) {
    client.held_bytes += bytes.size();
    client.held.push_back({now.steady + options_.delay, std::move(bytes), is_frame});
  } else if (is_frame) {
    client.link->send_frame(std::move(bytes));
  } else {
    sent_.frame(client.session.number, now.wall, bytes);
    client.link->send_text(bytes);
  }
}

// Sends what --delay and --slow-bytes-per-second let through by now. True: something was sent.
bool Simulator::release_held(Client& client, Moment now) {
  const auto rate = static_cast<double>(options_.slow_bytes_per_second);
  const double elapsed = std::chrono::duration<double>(now.steady - client.slow_last).count();
  client.slow_last = now.steady;
  client.slow_credit = std::min(client.slow_credit + rate * elapsed, std::max(1.0, rate / 10));
  bool released = false;
  while (!client.held.empty() && client.held.front().due <= now.steady &&
         (rate <= 0 || client.slow_credit > 0)) {
    Held held = std::move(client.held.front());
    client.held.pop_front();
    client.held_bytes -= held.bytes.size();
    client.slow_credit -=
        static_cast<double>(held.bytes.size());  // may become negative: frames are sent whole
    released = true;
    if (held.is_frame) {
      client.link->send_frame(std::move(held.bytes));
      continue;
    }
    sent_.frame(client.session.number, now.wall, held.bytes);
    client.link->send_text(held.bytes);
  }
  return released;
}

}  // namespace mdpipe::sim

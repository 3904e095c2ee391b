#include "tools/exchange-sim/simulator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace mdpipe::sim {
namespace {

constexpr std::size_t kEventsPerTurn = 1024;  // bounded, so that sockets and signals get their turn
constexpr std::size_t kReplayPerTurn = 512;
constexpr std::size_t kFlatOutPerTurn = 256;
constexpr double kFlatOutRate = 20'000;  // what "seconds" means for timed snapshots when there is no rate
constexpr auto kDropPatience = std::chrono::seconds(2);
constexpr auto kFlushInterval = std::chrono::milliseconds(100);

std::uint64_t unsigned_of(std::int64_t value) { return static_cast<std::uint64_t>(value); }

MisbehaviourConfig misbehaviour_of(const Options& o) {
  MisbehaviourConfig config;
  config.close_after = unsigned_of(o.close_after);
  config.drop_after = unsigned_of(o.drop_after);
  config.silence_after = unsigned_of(o.silence_after);
  config.silence_symbol = o.silence_symbol;
  config.silence_symbol_after = unsigned_of(o.silence_symbol_after);
  config.garbage_every = unsigned_of(o.garbage_every);
  config.bomb_after = unsigned_of(o.bomb_after);
  return config;
}

std::uint64_t events_per_snapshot(const Options& o, double rate) {
  const double seconds = std::chrono::duration<double>(o.snapshot_interval).count();
  return static_cast<std::uint64_t>((rate > 0 ? rate : kFlatOutRate) * seconds) + 1;
}

ExchangeConfig exchange_config_of(const Options& o) {
  ExchangeConfig config;
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

// "silence-symbol BTC on" -> "silence-symbol", leaving "BTC on".
std::string_view take_word(std::string_view& text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  const std::size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

constexpr const char* kDone = R"({"ok":true})";
std::string refused(std::string_view why) { return fmt::format(R"({{"ok":false,"error":"{}"}})", why); }

}  // namespace

Simulator::Simulator(const Options& options, SentLog& sent)
    : options_(options),
      sent_(sent),
      misbehaviour_(misbehaviour_of(options)),
      exchange_(exchange_config_of(options)),
      garbage_(options.garbage_kinds, exchange_.venue().unknown_channel_frame()),
      pacer_(options.rate, burst_of(options)) {
  if (options.bomb_after > 0) bomb_ = deflate_bomb(options.bomb_bytes.count);
}

// --- Connections
// ------------------------------------------------------------------------------------------------------

std::optional<int> Simulator::refuse_handshake() {
  if (stopping_ || static_cast<std::int64_t>(clients_.size()) >= options_.connections_max) {
    log::warn("handshake refused", {{"status", 503}, {"connections", clients_.size()}});
    return 503;
  }
  if (options_.refuse_http == 0) return std::nullopt;
  if (options_.refuse_count > 0 && stats_.refused >= unsigned_of(options_.refuse_count)) return std::nullopt;
  ++stats_.refused;
  log::info("handshake refused on request", {{"status", options_.refuse_http}, {"refused", stats_.refused}});
  return static_cast<int>(options_.refuse_http);
}

void Simulator::on_open(std::uint64_t id, std::unique_ptr<Link> link, std::string_view address,
                        std::string_view resource, Now now) {
  Client& client =
      clients_.try_emplace(id, misbehaviour_, Pacer(options_.speed > 0 ? options_.rate : 0, Burst{}))
          .first->second;
  client.session.number = id;
  client.session.address = std::string(address);
  client.link = std::move(link);
  client.opened = client.last_heard = client.slow_last = now.steady;
  client.next_ping = now.steady + options_.ping_interval;
  ++stats_.connections;
  log::info("client connected", {{"connection", id},
                                 {"address", address},
                                 {"resource", resource},
                                 {"deflate", client.link->is_deflated()}});
  exchange_.venue().on_open(client.session, resource);
  if (options_.replay_start == "connect" || !client.session.streams.empty()) start_replay(client, now);
  update_streams();
}

void Simulator::on_text(std::uint64_t id, std::string_view text, Now now) {
  const auto found = clients_.find(id);
  if (found == clients_.end() || found->second.is_closing) return;
  Client& client = found->second;
  client.last_heard = now.steady;
  log::debug("request", {{"connection", id}, {"text", text.substr(0, 500)}});
  Reply answer = exchange_.venue().on_text(client.session, text, now.steady);
  update_streams();
  reply(client, std::move(answer), now);
  start_replay(client, now);
}

void Simulator::on_ping(std::uint64_t id, Now now) {
  const auto found = clients_.find(id);
  if (found == clients_.end() || found->second.is_closing) return;
  found->second.last_heard = now.steady;
  reply(found->second, exchange_.venue().on_control(found->second.session, now.steady), now);
}

void Simulator::on_pong(std::uint64_t id, std::string_view payload, Now now) {
  const auto found = clients_.find(id);
  if (found == clients_.end() || found->second.is_closing) return;
  Client& client = found->second;
  if (!client.awaited_pong.empty() && payload == client.awaited_pong) {
    client.awaited_pong.clear();
    client.missed_pongs = 0;
  }
  reply(client, exchange_.venue().on_control(client.session, now.steady), now);
}

void Simulator::on_close(std::uint64_t id, Now) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  const Client& client = found->second;
  log::info("client gone",
            {{"connection", id}, {"frames", client.rules.sent()}, {"stats", log::Json{stats_json()}}});
  if (client.replay_drained && options_.exit_after_replay) finished_ = true;
  clients_.erase(found);
  update_streams();
  sent_.flush();
}

void Simulator::update_streams() {
  std::vector<const Session*> sessions;
  subscribers_.clear();
  for (auto& [id, client] : clients_) {
    sessions.push_back(&client.session);
    for (const Stream& stream : client.session.streams)
      subscribers_[stream.key].emplace_back(&client, &stream);
  }
  if (options_.replay.empty()) exchange_.set_streams(sessions);
}

void Simulator::reply(Client& client, Reply reply, Now now) {
  for (std::string& frame : reply.frames) {
    ++stats_.replies;
    put(client, std::move(frame), false, now);
  }
  client.link->flush();
  if (reply.close)
    begin_close(client, reply.close->code, reply.close->reason, now, "a rule of the exchange was broken");
}

// --- Data
// -------------------------------------------------------------------------------------------------------------

bool Simulator::has_room(const Client& client) const {
  return client.link->buffered_bytes() + client.held_bytes < options_.buffer.count;
}

bool Simulator::generate(Now now) {
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

void Simulator::one_event(Now now) {
  for (const Frame& frame : exchange_.next(now.wall)) {
    const auto found = subscribers_.find(frame.key);
    if (found == subscribers_.end()) continue;
    for (const auto& [client, stream] : found->second) {
      if (client->is_closing) continue;
      deliver(*client, exchange_.symbols()[frame.symbol],
              exchange_.venue().wrap(client->session, *stream, frame.body), now, true);
    }
  }
}

void Simulator::deliver(Client& client, const std::string& symbol, std::string text, Now now, bool may_drop) {
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
  if (misbehaviour_.garbage_every > 0 || options_.control.size() > 0) client.last_good = text;
  ++stats_.frames;
  stats_.bytes += text.size();
  put(client, std::move(text), false, now);
  after_frame(client, now);
}

void Simulator::log_full(Now now) {
  const auto admitted = full_limit_.admit(now.steady);
  if (!admitted) return;
  log::warn("a client is too slow: frames were dropped",
            {{"dropped", stats_.dropped_full - full_logged_}, {"dropped_total", stats_.dropped_full}});
  full_logged_ = stats_.dropped_full;
}

void Simulator::after_frame(Client& client, Now now) {
  const Aftermath aftermath = client.rules.after_sending();
  if (aftermath.garbage) send_garbage(client, now);
  if (aftermath.bomb) send_bomb(client, now);
  if (aftermath.drop) begin_drop(client, now, "--drop-after");
  if (aftermath.close)
    begin_close(client, static_cast<int>(options_.close_code), options_.close_reason, now, "--close-after");
}

void Simulator::send_garbage(Client& client, Now now) {
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

void Simulator::send_bomb(Client& client, Now now) {
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

void Simulator::put(Client& client, std::string bytes, bool is_frame, Now now) {
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
bool Simulator::release_held(Client& client, Now now) {
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
    client.slow_credit -= static_cast<double>(held.bytes.size());  // may become a debt: frames go out whole
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

// --- Replay
// -----------------------------------------------------------------------------------------------------------

void Simulator::start_replay(Client& client, Now now) {
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
bool Simulator::advance_replay(Client& client, Now now) {
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

// A recorded frame is not parsed: it is of the silenced symbol where it names it.
std::string Simulator::symbol_in(const std::string& text) const {
  const std::string& symbol = misbehaviour_.silence_symbol;
  return !symbol.empty() && text.find(symbol) != std::string::npos ? symbol : std::string();
}

void Simulator::finish_replay(Client& client, Now now) {
  if (!client.replay_done || client.replay_drained || !client.held.empty() ||
      client.link->buffered_bytes() > 0)
    return;
  client.replay_drained = true;
  ++stats_.replays_done;
  if (options_.exit_after_replay) begin_close(client, 1000, "end of replay", now, "--exit-after-replay");
}

// --- Time and ends
// ----------------------------------------------------------------------------------------------------

bool Simulator::turn(Now now) {
  bool again = generate(now);
  for (auto& [id, client] : clients_) {
    again = advance_replay(client, now) || again;
    release_held(client, now);
    client.link->flush();
    finish_replay(client, now);
    keep_time(client, now);
  }
  if (!next_flush_ || now.steady >= *next_flush_) {
    sent_.flush();
    next_flush_ = now.steady + kFlushInterval;
  }
  return again;
}

std::chrono::milliseconds Simulator::pause() const {
  using std::chrono::milliseconds;
  constexpr milliseconds kIdle{20};
  if (clients_.empty() && !options_.run_unwatched) return kIdle;
  const bool is_exact = !options_.replay.empty() || pacer_.is_flat_out() || options_.delay.count() > 0 ||
                        options_.slow_bytes_per_second > 0 || options_.burst > 1;
  if (is_exact) return milliseconds(1);
  return milliseconds(std::clamp(static_cast<int>(250 / pacer_.rate()), 1, 20));
}

void Simulator::keep_time(Client& client, Now now) {
  if (client.drop_deadline) {
    if ((client.held.empty() && client.link->is_drained()) || now.steady >= *client.drop_deadline)
      client.link->drop();
    return;
  }
  if (client.is_closing) return;
  if (options_.max_connection_age.count() > 0 && now.steady - client.opened >= options_.max_connection_age) {
    if (const auto farewell = exchange_.venue().farewell(client.session, now.wall))
      put(client, *farewell, false, now);
    return begin_close(client, 1001, "maximum connection age", now, "--max-connection-age");
  }
  if (options_.idle_timeout.count() > 0 && client.session.streams.empty() && !client.replay &&
      now.steady - client.last_heard >= options_.idle_timeout) {
    return begin_drop(client, now, "--idle-timeout");
  }
  if (options_.ping_interval.count() == 0 || now.steady < client.next_ping) return;
  client.next_ping = now.steady + options_.ping_interval;
  if (!client.awaited_pong.empty() && options_.missed_pongs_max > 0 &&
      ++client.missed_pongs >= options_.missed_pongs_max) {
    return begin_close(client, 1008, "pings unanswered", now, "--missed-pongs-max");
  }
  client.awaited_pong = std::to_string(++pings_);
  client.link->ping(client.awaited_pong);
}

void Simulator::begin_close(Client& client, int code, std::string_view reason, Now now,
                            std::string_view why) {
  if (client.is_closing) return;
  client.is_closing = true;
  for (; !client.held.empty(); client.held.pop_front()) {
    const Held& held = client.held.front();
    if (held.is_frame) {
      client.link->send_frame(held.bytes);
    } else {
      sent_.frame(client.session.number, now.wall, held.bytes);
      client.link->send_text(held.bytes);
    }
  }
  client.held_bytes = 0;
  client.link->flush();
  log::info("closing a connection", {{"connection", client.session.number},
                                     {"code", code},
                                     {"reason", reason},
                                     {"why", why},
                                     {"frames", client.rules.sent()}});
  client.link->close(code, reason);
}

// Waits until the client has what was sent before, so that the count of --drop-after is what it received.
void Simulator::begin_drop(Client& client, Now now, std::string_view why) {
  if (client.is_closing) return;
  client.is_closing = true;
  client.drop_deadline = now.steady + kDropPatience;
  client.link->flush();
  log::info("dropping a connection",
            {{"connection", client.session.number}, {"why", why}, {"frames", client.rules.sent()}});
}

void Simulator::shut_down(Now now) {
  stopping_ = true;
  for (auto& [id, client] : clients_) {
    if (client.is_closing) continue;
    if (const auto farewell = exchange_.venue().farewell(client.session, now.wall))
      put(client, *farewell, false, now);
    begin_close(client, 1001, "going away", now, "stopping");
  }
  sent_.flush();
}

// --- Control
// ----------------------------------------------------------------------------------------------------------

std::string Simulator::stats_json() const {
  return fmt::format(
      R"({{"connections":{},"clients":{},"events":{},"frames":{},"bytes":{},"replies":{},"dropped_full":{},"late_events":{},"swallowed":{},"garbage":{},"bombs":{},"refused":{},"replays_done":{}}})",
      stats_.connections, clients_.size(), exchange_.events(), stats_.frames, stats_.bytes, stats_.replies,
      stats_.dropped_full, pacer_.late(), stats_.swallowed, stats_.garbage, stats_.bombs, stats_.refused,
      stats_.replays_done);
}

std::string Simulator::set_silence(std::string_view rest) {
  const std::string_view state = take_word(rest);
  if (state != "on" && state != "off") return refused("expected silence on or silence off");
  silenced_ = state == "on";
  return kDone;
}

std::string Simulator::set_rate(std::string_view rest) {
  const std::string_view text = take_word(rest);
  double rate = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), rate);
  constexpr double kRateMax = 10'000'000;
  if (ec != std::errc() || end != text.data() + text.size() || !(rate >= 0) || rate > kRateMax) {
    return refused("expected rate and a number from 0 to 10000000");
  }
  pacer_.set_rate(rate);
  exchange_.set_events_per_snapshot(events_per_snapshot(options_, rate));
  return kDone;
}

std::string Simulator::command(std::string_view line, Now now) {
  log::info("control command", {{"command", line.substr(0, 200)}});
  const std::string_view word = take_word(line);
  if (word == "stats") {
    sent_.flush();
    return stats_json();
  }
  if (word == "silence") return set_silence(line);
  if (word == "rate") return set_rate(line);
  if (word == "silence-symbol") {
    const std::string_view symbol = take_word(line);
    const std::string_view state = take_word(line);
    if (symbol.empty() || (state != "on" && state != "off"))
      return refused("expected silence-symbol SYMBOL on or off");
    misbehaviour_.silence_symbol = state == "on" ? std::string(symbol) : std::string();
    return kDone;
  }
  for (auto& [id, client] : clients_) {
    if (client.is_closing) continue;
    if (word == "close") {
      begin_close(client, static_cast<int>(options_.close_code), options_.close_reason, now, "control");
    } else if (word == "drop") {
      begin_drop(client, now, "control");
    } else if (word == "garbage") {
      send_garbage(client, now);
    }
  }
  if (word == "close" || word == "drop" || word == "garbage") return kDone;
  return refused("unknown command; known are close, drop, silence, silence-symbol, rate, garbage, stats");
}

}  // namespace mdpipe::sim

// Connections, the turn of the loop and how connections end.
#include "tools/exchange-sim/simulator.hpp"

#include <algorithm>
#include <utility>

#include "tools/exchange-sim/simulator_settings.hpp"

namespace mdpipe::sim {
namespace {

constexpr auto kDropPatience = std::chrono::seconds(2);
constexpr auto kFlushInterval = std::chrono::milliseconds(100);

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

std::optional<HttpReply> Simulator::on_http(std::string_view resource) {
  auto reply = exchange_.venue().on_http(resource, exchange_.markets());
  const bool refuses =
      options_.rest_status != 0 &&
      (options_.rest_status_count == 0 || stats_.rest_refused < unsigned_of(options_.rest_status_count));
  if (!reply || !refuses) return reply;
  ++stats_.rest_refused;
  log::info("HTTP request refused on request",
            {{"status", options_.rest_status}, {"refused", stats_.rest_refused}});
  return HttpReply{static_cast<int>(options_.rest_status), R"({"code":-1000,"msg":"Refused on request."})",
                   options_.retry_after};
}

void Simulator::on_open(std::uint64_t id, std::unique_ptr<Link> link, std::string_view address,
                        std::string_view resource, Moment now) {
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

void Simulator::on_text(std::uint64_t id, std::string_view text, Moment now) {
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

void Simulator::on_ping(std::uint64_t id, Moment now) {
  const auto found = clients_.find(id);
  if (found == clients_.end() || found->second.is_closing) return;
  found->second.last_heard = now.steady;
  reply(found->second, exchange_.venue().on_control(found->second.session, now.steady), now);
}

void Simulator::on_pong(std::uint64_t id, std::string_view payload, Moment now) {
  const auto found = clients_.find(id);
  if (found == clients_.end() || found->second.is_closing) return;
  Client& client = found->second;
  if (!client.awaited_pong.empty() && payload == client.awaited_pong) {
    client.awaited_pong.clear();
    client.missed_pongs = 0;
  }
  reply(client, exchange_.venue().on_control(client.session, now.steady), now);
}

void Simulator::on_close(std::uint64_t id, Moment) {
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

void Simulator::reply(Client& client, Reply reply, Moment now) {
  for (std::string& frame : reply.frames) {
    ++stats_.replies;
    put(client, std::move(frame), false, now);
  }
  client.link->flush();
  if (reply.close)
    begin_close(client, reply.close->code, reply.close->reason, now, "a rule of the exchange was broken");
}

bool Simulator::turn(Moment now) {
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

void Simulator::keep_time(Client& client, Moment now) {
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

void Simulator::begin_close(Client& client, int code, std::string_view reason, Moment now,
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

// Waits until the client has everything sent before, so that --drop-after counts what it received.
void Simulator::begin_drop(Client& client, Moment now, std::string_view why) {
  if (client.is_closing) return;
  client.is_closing = true;
  client.drop_deadline = now.steady + kDropPatience;
  client.link->flush();
  log::info("dropping a connection",
            {{"connection", client.session.number}, {"why", why}, {"frames", client.rules.sent()}});
}

void Simulator::shut_down(Moment now) {
  stopping_ = true;
  for (auto& [id, client] : clients_) {
    if (client.is_closing) continue;
    if (const auto farewell = exchange_.venue().farewell(client.session, now.wall))
      put(client, *farewell, false, now);
    begin_close(client, 1001, "going away", now, "stopping");
  }
  sent_.flush();
}

}  // namespace mdpipe::sim

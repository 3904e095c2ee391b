// The commands of the control socket.
#include <algorithm>
#include <charconv>

#include "libshared/json/json_writer.hpp"
#include "tools/exchange-sim/simulator.hpp"
#include "tools/exchange-sim/simulator_settings.hpp"

namespace mdpipe::sim {
namespace {

// "silence-symbol BTC on" -> "silence-symbol", leaving "BTC on".
std::string_view take_word(std::string_view& text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  const std::size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

constexpr const char* kDone = R"({"ok":true})";
std::string refused(std::string_view why) {
  std::string out;
  JsonWriter(out).begin_object().member("ok", false).member("error", why).end_object();
  return out;
}

}  // namespace

std::string Simulator::stats_json() const {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("connections", stats_.connections).member("clients", clients_.size());
  json.member("events", exchange_.events()).member("frames", stats_.frames).member("bytes", stats_.bytes);
  json.member("replies", stats_.replies).member("dropped_full", stats_.dropped_full);
  json.member("late_events", pacer_.late()).member("swallowed", stats_.swallowed);
  json.member("garbage", stats_.garbage).member("bombs", stats_.bombs).member("refused", stats_.refused);
  json.member("replays_done", stats_.replays_done).member("skipped_books", stats_.skipped_books);
  json.member("crossed_books", stats_.crossed_books).member("wrong_mids", stats_.wrong_mids);
  json.member("rest_refused", stats_.rest_refused).end_object();
  return out;
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

std::string Simulator::command(std::string_view line, Moment now) {
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

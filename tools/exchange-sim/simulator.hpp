#pragma once
// Everything between the sockets and the pure parts: clients, their subscriptions, pacing, replay and
// misbehaviour. Every call has the time as an argument, and frames are sent through Link, so that a test
// drives it without a network.
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "libshared/log/log.hpp"
#include "tools/exchange-sim/exchange.hpp"
#include "tools/exchange-sim/garbage.hpp"
#include "tools/exchange-sim/misbehaviour.hpp"
#include "tools/exchange-sim/options.hpp"
#include "tools/exchange-sim/pacer.hpp"
#include "tools/exchange-sim/replay.hpp"
#include "tools/exchange-sim/sent_log.hpp"

namespace mdpipe::sim {

// One WebSocket connection, as the simulator sees it.
class Link {
 public:
  virtual ~Link() = default;
  virtual void send_text(std::string_view text) = 0;
  // Sends a complete frame with its header, unchanged.
  virtual void send_frame(std::string frame) = 0;
  // Passes everything sent since the last call to the socket.
  virtual void flush() = 0;
  virtual void ping(std::string_view payload) = 0;
  virtual void close(int code, std::string_view reason) = 0;
  virtual void drop() = 0;  // no close frame
  [[nodiscard]] virtual std::size_t buffered_bytes() const = 0;
  [[nodiscard]] virtual bool is_drained() const = 0;  // and the peer's TCP has confirmed it
  [[nodiscard]] virtual bool is_deflated() const = 0;
};

struct Stats {
  std::uint64_t connections = 0, frames = 0, bytes = 0, replies = 0, dropped_full = 0, swallowed = 0,
                garbage = 0, bombs = 0, refused = 0, replays_done = 0, skipped_books = 0, crossed_books = 0,
                wrong_mids = 0, rest_refused = 0;
};

class Simulator {
 public:
  // `options` and `sent` outlive the simulator.
  Simulator(const Options& options, SentLog& sent);

  void on_open(std::uint64_t id, std::unique_ptr<Link> link, std::string_view address,
               std::string_view resource, Moment now);
  void on_text(std::uint64_t id, std::string_view text, Moment now);
  void on_ping(std::uint64_t id, Moment now);
  void on_pong(std::uint64_t id, std::string_view payload, Moment now);
  void on_close(std::uint64_t id, Moment now);

  // The HTTP status with which to refuse a handshake, or nothing.
  std::optional<int> refuse_handshake();
  [[nodiscard]] std::optional<HttpReply> on_http(std::string_view resource);

  // Does a bounded amount of work: due events, replay frames, held frames, pings and limits. True: call again
  // at once.
  bool turn(Moment now);
  // The time until something is due.
  [[nodiscard]] std::chrono::milliseconds pause() const;

  // A control command; the answer is one line of JSON without its line end.
  std::string command(std::string_view line, Moment now);

  // Closes all connections.
  void shut_down(Moment now);
  [[nodiscard]] bool is_finished() const { return finished_ || (stopping_ && clients_.empty()); }
  [[nodiscard]] std::string stats_json() const;

 private:
  struct Held {
    SteadyTime due;
    std::string bytes;
    bool is_frame;  // a complete frame, not a text
  };

  struct Client {
    Client(const MisbehaviourOptions& config, Pacer replay_pacer) : rules(config), pacer(replay_pacer) {}
    Session session;
    std::unique_ptr<Link> link;
    FrameRules rules;
    SteadyTime opened, last_heard, next_ping;
    std::string awaited_pong;
    int missed_pongs = 0;
    std::deque<Held> held;
    std::size_t held_bytes = 0;
    double slow_credit = 0;
    SteadyTime slow_last;
    bool is_closing = false;
    std::optional<SteadyTime> drop_deadline;
    std::string last_good;
    // Replay
    std::optional<Replay> replay;
    std::optional<ReplayFrame> next_frame;
    std::optional<SteadyTime> replay_start;
    bool replay_done = false, replay_drained = false;
    Pacer pacer;
  };

  bool generate(Moment now);
  void one_event(Moment now);
  bool has_room(const Client& client) const;
  void deliver(Client& client, const std::string& symbol, std::string text, Moment now, bool may_drop);
  bool spoil_book(Client& client, const Market& market, std::string& body, Moment now);
  void after_frame(Client& client, Moment now);
  void send_garbage(Client& client, Moment now);
  void send_bomb(Client& client, Moment now);
  void put(Client& client, std::string bytes, bool is_frame, Moment now);
  bool release_held(Client& client, Moment now);
  void reply(Client& client, Reply reply, Moment now);
  void start_replay(Client& client, Moment now);
  bool advance_replay(Client& client, Moment now);
  void finish_replay(Client& client, Moment now);
  std::string symbol_in(const std::string& text) const;
  void begin_close(Client& client, int code, std::string_view reason, Moment now, std::string_view why);
  void begin_drop(Client& client, Moment now, std::string_view why);
  void keep_time(Client& client, Moment now);
  void update_streams();
  std::string set_silence(std::string_view rest);
  std::string set_rate(std::string_view rest);
  void log_full(Moment now);

  const Options& options_;
  SentLog& sent_;
  MisbehaviourOptions misbehaviour_;
  Exchange exchange_;
  Garbage garbage_;
  Pacer pacer_;
  std::map<std::uint64_t, Client> clients_;
  // The receivers of a frame, by Stream::key. Rebuilt at every change of a subscription, because it points
  // into the sessions.
  std::unordered_map<std::string, std::vector<std::pair<Client*, const Stream*>>> subscribers_;
  std::string bomb_;
  Stats stats_;
  bool silenced_ = false, stopping_ = false, finished_ = false, events_done_logged_ = false;
  std::uint64_t pings_ = 0, full_logged_ = 0;
  std::optional<SteadyTime> next_flush_;
  log::RateLimit full_limit_;
};

}  // namespace mdpipe::sim

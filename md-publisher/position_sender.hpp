#pragma once
// Sends the readers their positions: soon after Redis has confirmed events, and all of them again and again,
// since positions are cumulative and losing one costs nothing. Decides when; the ledger says what.
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <string_view>

#include "libshared/time/time.hpp"
#include "libshared/transport/socket.hpp"
#include "libshared/wire/byte_buffer.hpp"
#include "md-publisher/source_ledger.hpp"
#include "md-publisher/writer/event_writer.hpp"

namespace mdpipe::publisher {

class PositionSender {
 public:
  // Socket, ledger and writer outlive it.
  PositionSender(asio::io_context& io, transport::Socket& socket, const SourceLedger& ledger,
                 const EventWriter& redis);

  // Announces all positions from now on; each time, `on_announced` follows.
  void start(std::function<void()> on_announced);

  void announce();
  // Redis has confirmed events: their readers hear of it within kConfirmInterval.
  void confirm_soon();
  // Sends a confirmation that is still due.
  void flush();
  // Events came in: announcements are frequent as long as they do.
  void on_events(SteadyTime now) { events_at_ = now; }

 private:
  void schedule_announcement();
  void confirm();
  void send_present();
  void send(std::string_view topic, const Progress& progress);

  transport::Socket& socket_;
  const SourceLedger& ledger_;
  const EventWriter& redis_;
  asio::steady_timer announce_timer_, confirm_timer_;
  std::function<void()> on_announced_;
  wire::ByteBuffer bytes_;
  std::uint64_t instance_;
  SteadyTime events_at_{};     // when the last events came in
  SteadyTime confirmed_at_{};  // when the last confirmation was sent
  bool confirm_is_due_ = false;
};

}  // namespace mdpipe::publisher

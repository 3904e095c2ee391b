#include "md-publisher/position_sender.hpp"

#include <utility>

#include "libshared/wire/link.hpp"

namespace mdpipe::publisher {
namespace {

constexpr auto kAnnounceInterval = std::chrono::milliseconds(200);
constexpr auto kQuietAnnounceInterval = std::chrono::seconds(1);  // also how long no events came by then
// Each position wakes its reader and two threads of ZeroMQ, so a reader hears of several transactions at
// once.
constexpr auto kConfirmInterval = std::chrono::milliseconds(5);

}  // namespace

PositionSender::PositionSender(asio::io_context& io, transport::Socket& socket, const SourceLedger& ledger,
                               const EventWriter& redis)
    : socket_(socket),
      ledger_(ledger),
      redis_(redis),
      announce_timer_(io),
      confirm_timer_(io),
      instance_(static_cast<std::uint64_t>(wall_now().count)) {}

void PositionSender::start(std::function<void()> on_announced) {
  on_announced_ = std::move(on_announced);
  schedule_announcement();
}

void PositionSender::schedule_announcement() {
  const bool is_quiet = steady_now() - events_at_ > kQuietAnnounceInterval;
  announce_timer_.expires_after(is_quiet ? kQuietAnnounceInterval : kAnnounceInterval);
  announce_timer_.async_wait([this](const asio::error_code& ec) {
    if (ec) return;
    announce();
    on_announced_();
    schedule_announcement();
  });
}

void PositionSender::announce() {
  send(wire::kEverySource, Progress{});
  send_present();
  for (const auto& [source, runs] : ledger_.past()) {
    for (const Progress& progress : runs) send(source, progress);
  }
}

void PositionSender::confirm_soon() {
  if (confirm_is_due_) return;
  const SteadyTime due = confirmed_at_ + kConfirmInterval;
  if (steady_now() >= due) return confirm();
  confirm_is_due_ = true;
  confirm_timer_.expires_at(due);
  confirm_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec) confirm();
  });
}

void PositionSender::flush() {
  if (confirm_is_due_) confirm();
}

void PositionSender::confirm() {
  confirm_is_due_ = false;
  confirmed_at_ = steady_now();
  send_present();
}

void PositionSender::send_present() {
  for (const auto& [source, progress] : ledger_.sources()) send(source, progress);
}

void PositionSender::send(std::string_view topic, const Progress& progress) {
  wire::Position position;
  position.instance = instance_;
  position.epoch = progress.epoch;
  position.confirmed = progress.confirmed;
  position.accepted = progress.accepted;
  position.redis_up = redis_.takes_writes();
  position.lost_after = progress.lost_after;
  position.lost_to = progress.lost_to;
  position.refused = progress.is_duplicate_reader;
  position.closed = progress.closed;
  bytes_.clear();
  encode(position, bytes_);
  if (socket_.send(topic, zmq::send_flags::sndmore)) socket_.send(bytes_.view());
}

}  // namespace mdpipe::publisher

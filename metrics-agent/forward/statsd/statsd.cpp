#include "metrics-agent/forward/statsd/statsd.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <system_error>
#include <utility>

#include "libshared/log/log.hpp"

namespace mdpipe::agent {
namespace {

// A receiver's UDP socket holds about 90 full datagrams (Linux's default of 208 KiB), a Unix socket 10.
// Bursts of this size give it time to read: 1,600 datagrams a second.
constexpr std::size_t kBurst = 16;
constexpr auto kBurstInterval = std::chrono::milliseconds(10);
constexpr auto kFullWaitMax = std::chrono::milliseconds(1000);
// Saving encodes the undelivered counts, which takes some milliseconds of the loop at 1,000 symbols; all
// their datagrams are sent in less than this time.
constexpr auto kSaveInterval = std::chrono::seconds(1);

constexpr std::string_view kRefused = "refused";  // no process listens on the port
constexpr std::string_view kQueueFull = "queue_full";
constexpr std::string_view kResolve = "resolve";  // the name service does not know the host
constexpr std::string_view kSend = "send";        // any other error of the kernel
constexpr std::string_view kTooLong = "too_long";

std::string_view reason_of(DatagramSocket::Outcome outcome) {
  return outcome == DatagramSocket::Outcome::Failed ? kSend : kRefused;
}

}  // namespace

Statsd::Statsd(asio::io_context& io, const SnapshotStore& store, StatsdOptions options,
               metrics::MetricsCollector& own, std::function<void()> on_progress)
    : store_(store),
      options_(std::move(options)),
      counts_(own, "statsd", {kRefused, kQueueFull, kResolve, kSend}, {kTooLong}),
      on_progress_(std::move(on_progress)),
      resolver_(io),
      timer_(io) {}

std::optional<metrics::Delta> Statsd::state() const { return undelivered_.state(name(), wall_now()); }

void Statsd::on_window(const Window& window) {
  if (phase_ == Phase::Resolving) {
    counts_.error(kResolve);
    return undelivered_.add(store_, window);
  }
  // Late refusals of datagrams of the last window.
  if (return_refused()) give_up(kRefused, std::strerror(socket_.error()));
  if (phase_ == Phase::Sending) {
    give_up(kQueueFull, "the receiver did not accept the datagrams of a window before the next one ended");
  }
  fill_queue(window);
  begin();
  is_saved_ = true;  // the state file is written after this
}

void Statsd::fill_queue(const Window& window) {
  undelivered_.add(store_, window);
  Datagrams datagrams = statsd_datagrams(undelivered_, store_, options_.format);
  for (const Undelivered::Part& part : datagrams.too_long.counts) undelivered_.deliver(part);
  counts_.dropped(kTooLong, datagrams.too_long.points);
  queue_ = std::move(datagrams.list);
  next_ = 0;
}

void Statsd::begin() {
  wait_ = kBurstInterval;
  saved_ = steady_now();
  socket_.close();
  if (!options_.address.is_unix()) return resolve();
  if (!socket_.open(options_.address.path)) return give_up(kRefused, std::strerror(socket_.error()));
  send_burst();
}

void Statsd::resolve() {
  asio::error_code no_address;
  const auto address = asio::ip::make_address(options_.address.host, no_address);
  if (!no_address) return open({address, options_.address.port});
  phase_ = Phase::Resolving;
  resolver_.async_resolve(options_.address.host, std::to_string(options_.address.port),
                          [this](const asio::error_code& ec, const auto& endpoints) {
                            if (ec == asio::error::operation_aborted) return;
                            if (ec) return give_up(kResolve, ec.message());
                            // "localhost" is two addresses, and the receiver may listen on one of them only.
                            const auto index = static_cast<std::ptrdiff_t>(failures_ % endpoints.size());
                            open(std::next(endpoints.begin(), index)->endpoint());
                            save_if_due(steady_now());
                          });
}

void Statsd::open(const asio::ip::udp::endpoint& endpoint) {
  if (!socket_.open(endpoint)) return give_up(kSend, std::strerror(socket_.error()));
  send_burst();
}

void Statsd::send_burst() {
  for (std::size_t i = 0; i < kBurst && next_ < queue_.size(); ++i) {
    const DatagramSocket::Outcome outcome = socket_.send(queue_[next_].text);
    if (outcome == DatagramSocket::Outcome::QueueFull) {
      if (i == 0) wait_ = std::min(wait_ * 2, kFullWaitMax);
      return schedule(Phase::Sending, wait_);
    }
    if (outcome == DatagramSocket::Outcome::Accepted) deliver_next();
    // An error of send() may also be the refusal of an earlier datagram: the queue of refusals names it.
    if (return_refused() || outcome != DatagramSocket::Outcome::Accepted) {
      return give_up(reason_of(outcome), std::strerror(socket_.error()));
    }
    wait_ = kBurstInterval;
  }
  schedule(next_ < queue_.size() ? Phase::Sending : Phase::Settling, kBurstInterval);
}

void Statsd::deliver_next() {
  Datagram& datagram = queue_[next_++];
  for (const Undelivered::Part& part : datagram.counts) undelivered_.deliver(part);
  points_accepted_ += datagram.points;
  is_saved_ = false;
}

bool Statsd::return_refused() {
  const std::vector<std::string> refused = socket_.read_refused();
  for (const std::string& beginning : refused) return_datagram(beginning);
  return !refused.empty();
}

void Statsd::return_datagram(const std::string& beginning) {
  if (beginning.empty()) return;
  const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(next_);
  const auto found = std::find_if(queue_.begin(), end, [&](const Datagram& datagram) {
    return datagram.text.compare(0, beginning.size(), beginning) == 0;
  });
  if (found == end) return;
  for (const Undelivered::Part& part : found->counts) undelivered_.put_back(part);
  points_accepted_ -= std::min(points_accepted_, found->points);
  *found = {};
  is_saved_ = false;
}

void Statsd::schedule(Phase phase, std::chrono::milliseconds delay) {
  phase_ = phase;
  timer_.expires_after(delay);
  timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec) on_timer();
  });
}

void Statsd::on_timer() {
  const Phase phase = std::exchange(phase_, Phase::Idle);
  if (phase == Phase::Idle) return;  // fired while it was cancelled
  if (return_refused()) {
    give_up(kRefused, std::strerror(socket_.error()));
  } else if (phase == Phase::Settling) {
    settled();
  } else {
    send_burst();
  }
  save_if_due(steady_now());
}

// The socket stays open until the next window, because refusals from distant hosts arrive later.
void Statsd::settled() {
  count_accepted();
  if (!std::exchange(is_reached_, true)) log::info("the StatsD receiver is reached again");
}

void Statsd::give_up(std::string_view reason, const std::string& why) {
  phase_ = Phase::Idle;
  timer_.cancel();
  socket_.close();
  ++failures_;
  count_accepted();
  counts_.error(reason);
  if (!std::exchange(is_reached_, false)) return;
  log::warn("cannot reach the StatsD receiver; counts are kept and sent with the next window",
            {{"reason", reason}, {"error", why}});
}

void Statsd::count_accepted() { counts_.forwarded(std::exchange(points_accepted_, 0)); }

void Statsd::save_if_due(SteadyTime now) {
  const bool is_due = phase_ == Phase::Idle || now - saved_ >= kSaveInterval;
  if (is_saved_ || !is_due) return;
  is_saved_ = true;
  saved_ = now;
  on_progress_();
}

}  // namespace mdpipe::agent

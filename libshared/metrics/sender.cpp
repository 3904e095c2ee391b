#include "libshared/metrics/sender.hpp"

#include "libshared/process/usage.hpp"
#include "mdpipe_version.hpp"

namespace mdpipe::metrics {
namespace {

constexpr auto kInterval = std::chrono::seconds(1);
constexpr int kFullEvery = 10;  // seconds
// Reading a process's usage opens two files of /proc.
constexpr int kUsageEvery = 5;     // seconds; divides kFullEvery
constexpr int kFullsForAgent = 3;  // a new agent knows nothing, and one message may be lost
// Messages queued for an agent that is away. More are dropped, which costs nothing: the next message has the
// totals.
constexpr int kHighWaterMark = 16;
constexpr auto kLastMessageLinger = std::chrono::milliseconds(200);

}  // namespace

MetricsSender::MetricsSender(asio::io_context& io, zmq::context_t& context, MetricsCollector& collector,
                             const transport::Endpoint& endpoint, std::function<void()> before_send)
    : collector_(collector),
      socket_(io, context, zmq::socket_type::xpub, {kHighWaterMark, 1 << 16U}),
      timer_(io),
      before_send_(std::move(before_send)) {
  const CollectorOptions& who = collector.options();
  const auto own = [&](Metric metric) { return collector.series(metric, {who.component, who.source}); };
  cpu_ = own(Metric::ProcessCpuSeconds);
  resident_ = own(Metric::ProcessResidentBytes);
  virtual_ = own(Metric::ProcessVirtualBytes);
  open_fds_ = own(Metric::ProcessOpenFds);
  max_fds_ = own(Metric::ProcessMaxFds);
  start_time_ = own(Metric::ProcessStartTime);
  build_info_ = collector.series(Metric::BuildInfo, {who.component, kVersion, kCommit});
  collector.set(build_info_, 1);
  // The pipe of a connecting socket outlives its peer. So the subscription of a restarted agent is not new to
  // the socket, and without this option it would not be reported.
  socket_.raw().set(zmq::sockopt::xpub_verbose, 1);
  if (who.enabled) socket_.connect(endpoint);
}

void MetricsSender::start() {
  if (!collector_.options().enabled) return;
  // A subscription means that an agent has just connected: it gets a full message at once.
  socket_.on_ready([this] {
    if (agent_connected()) {
      fulls_due_ = kFullsForAgent;
      send(false);
    }
    return false;
  });
  schedule();
}

void MetricsSender::stop() {
  timer_.cancel();
  if (!collector_.options().enabled) return;
  socket_.raw().set(zmq::sockopt::linger, static_cast<int>(kLastMessageLinger.count()));
  fulls_due_ = 1;
  send(true);
}

void MetricsSender::schedule() {
  timer_.expires_after(kInterval);
  timer_.async_wait([this](const asio::error_code& ec) {
    if (ec) return;
    if (agent_connected()) fulls_due_ = kFullsForAgent;
    send(false);
    schedule();
  });
}

bool MetricsSender::agent_connected() {
  bool subscribed = false;
  zmq::message_t message;
  while (socket_.receive(message)) {
    const std::string_view bytes = transport::view(message);
    subscribed = subscribed || (!bytes.empty() && bytes.front() == 1);
  }
  return subscribed;
}

void MetricsSender::send(bool last) {
  if (before_send_) before_send_();
  const bool full = fulls_due_ > 0 || sends_since_full_ == 0;
  if (full || sends_since_full_ % kUsageEvery == 0) set_process_gauges();
  if (fulls_due_ > 0) --fulls_due_;
  sends_since_full_ = full ? 1 : (sends_since_full_ + 1) % kFullEvery;
  // Its memory is not reused: full messages are large and rare.
  wire::ByteBuffer buffer;
  {
    Delta delta;
    collector_.snapshot(full, delta);
    delta.last = last;
    encode(delta, buffer);
  }
  // XPUB drops messages if nobody listens; the next full message has everything.
  socket_.send(transport::take_message(std::move(buffer)));
}

void MetricsSender::set_process_gauges() {
  const process::Usage usage = process::read_usage();
  collector_.set_total(cpu_, usage.cpu_seconds);
  collector_.set(resident_, static_cast<double>(usage.resident_bytes));
  collector_.set(virtual_, static_cast<double>(usage.virtual_bytes));
  collector_.set(open_fds_, static_cast<double>(usage.open_fds));
  collector_.set(max_fds_, static_cast<double>(usage.max_fds));
  collector_.set(start_time_, usage.start_time_seconds);
}

}  // namespace mdpipe::metrics

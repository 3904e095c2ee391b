#include "ws-reader/delivery.hpp"

#include <poll.h>
#include <unistd.h>

#include <asio/post.hpp>
#include <cerrno>
#include <utility>

#include "libshared/log/log.hpp"
#include "libshared/wire/json.hpp"
#include "ws-reader/assembly.hpp"

namespace mdpipe::reader {
namespace {

constexpr auto kWatchInterval = std::chrono::milliseconds(100);

// False if the other end is closed.
bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    // Another process can make a shared pipe or terminal non-blocking: wait until it can be written again.
    if (written < 0 && errno == EAGAIN) {
      pollfd output{fd, POLLOUT, 0};
      (void)::poll(&output, 1, -1);
      continue;
    }
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::unique_ptr<Conflator> make_conflator(const Config& config) {
  if (config.conflated_types.empty()) return nullptr;
  return std::make_unique<Conflator>(config.conflated_types, config.behind_limit);
}

std::unique_ptr<Tap> make_tap(asio::io_context& io, zmq::context_t& zmq, const Config& config) {
  if (config.to_stdout || config.tap_endpoint == "none") return nullptr;
  return std::make_unique<Tap>(io, zmq, config.security.listening(config.tap_endpoint, "tap"));
}

}  // namespace

Delivery::Delivery(asio::io_context& io, Parts parts, DeliveryCallbacks callbacks)
    : io_(io),
      parts_(parts),
      callbacks_(std::move(callbacks)),
      spool_(open_spool(parts.config, parts.collector)),
      epoch_(begin_epoch(spool_.get())),
      crash_accounting_(make_crash_accounting(parts.config, parts.collector, spool_.get(), epoch_)),
      outbox_(parts.config.source, epoch_, outbox_limits(parts.config), moment_now(),
              spool_use(parts.config, spool_.get()),
              crash_accounting_ ? crash_accounting_->runs() : OutboxRuns()),
      conflator_(make_conflator(parts.config)),
      tap_(make_tap(io, parts.zmq, parts.config)),
      writer_({outbox_, parts.metrics, tap_.get(), conflator_.get(), venues::has_deltas(parts.profile.books)},
              [this] { schedule_flush(); }),
      watch_timer_(io) {}

void Delivery::start() {
  if (!uses_link()) return;
  const Config& config = parts_.config;
  LinkCallbacks callbacks;
  callbacks.on_progress = [this] { on_confirmed(); };
  callbacks.on_redis_lost_events = [this](std::uint64_t after, std::uint64_t to) {
    on_redis_lost(after, to);
  };
  callbacks.on_duplicate_reader = [this] { on_duplicate_reader(); };
  link_ = std::make_unique<PublisherLink>(
      io_, parts_.zmq,
      LinkEndpoints{config.security.publisher(config.events_endpoint),
                    config.security.publisher(config.positions_endpoint), config.source},
      outbox_, parts_.collector, std::move(callbacks));
  link_->start();
  watch();
  if (tap_) tap_->start();
}

// Events of one loop turn are sent together: the flush runs after the handlers that already wait.
void Delivery::schedule_flush() {
  asio::post(io_, [this] {
    writer_.on_flush();
    flush();
  });
}

void Delivery::flush() {
  outbox_.flush(moment_now());
  if (!uses_link()) return write_to_output();
  link_->pump();
  report_losses();
  if (!is_watching_) watch();
}

void Delivery::flush_all() {
  writer_.release_all_held(moment_now());
  flush();
}

void Delivery::write_to_output() {
  ndjson_.clear();
  while (const Batch* batch = outbox_.next()) {
    wire::append_batch_as_ndjson(batch->payload.view(), ndjson_);
    outbox_.mark_sent({});
    outbox_.confirm_sent({});
  }
  if (!write_all(parts_.output, ndjson_.view())) callbacks_.on_output_closed();
}

void Delivery::watch() {
  const Moment now = moment_now();
  outbox_.tick(now);
  writer_.release_held(now);
  report_losses();
  callbacks_.on_watch();
  if (backlog_memory_.is_over(outbox_.unconfirmed_bytes(), now.steady)) {
    outbox_.drop_spare_memory();
    process::give_memory_back();
  }
  is_watching_ = !outbox_.everything_confirmed() || writer_.held_events() > 0;
  if (!is_watching_) return;
  watch_timer_.expires_after(kWatchInterval);
  watch_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec) watch();
  });
}

// Dropped events were replaced by gap events already. Which events a damaged spool held is not known, so all
// feeds have a gap.
void Delivery::report_losses() {
  bool feed_changes_lost = false;
  for (const auto& [feed, loss] : outbox_.pop_losses()) {
    parts_.metrics.dropped(feed.first, feed.second, metrics::DropReason::Retention, loss.count);
    feed_changes_lost = feed_changes_lost || feed.first == EventType::Feed;
  }
  if (const std::uint64_t damaged = outbox_.pop_damaged_events(); damaged > 0) {
    parts_.metrics.spool_damaged(damaged);
    callbacks_.on_gap_everywhere("the spool was damaged");
  }
  if (feed_changes_lost) callbacks_.on_feed_changes_lost();
}

void Delivery::on_confirmed() {
  if (const auto last_in_redis = outbox_.pop_predecessor_end())
    crash_accounting_->on_predecessor_end(*last_in_redis);
  callbacks_.on_confirmed();
}

// The reader no longer has events that were confirmed, so it can only report them as missing.
void Delivery::on_redis_lost(std::uint64_t after, std::uint64_t to) {
  log::warn("Redis has lost confirmed events: it was emptied, failed over or restored",
            {{"after", after}, {"to", to}, {"events", to - after}});
  callbacks_.on_gap_everywhere("Redis lost events that it had confirmed");
}

void Delivery::on_duplicate_reader() {
  log::error("md-publisher hears another reader of this name; give each reader its own --source",
             {{"source", parts_.config.source}});
  callbacks_.on_duplicate_reader();
}

Delivery::Remainder Delivery::close() {
  Remainder remainder;
  remainder.unconfirmed = outbox_.unconfirmed_events();
  if (remainder.unconfirmed > 0) remainder.lost = outbox_.spool_all(moment_now());
  if (remainder.lost == 0 && crash_accounting_) crash_accounting_->mark_complete();
  return remainder;
}

}  // namespace mdpipe::reader

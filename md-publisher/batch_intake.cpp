#include "md-publisher/batch_intake.hpp"

#include <fmt/format.h>

namespace mdpipe::publisher {
namespace {

constexpr int kBatchesPerTurn = 64;

}  // namespace

BatchIntake::BatchIntake(transport::Socket& events, SourceLedger& ledger, BatchWriter& writer,
                         RedisDelivery& delivery, PositionSender& positions, PublisherMetrics& metrics,
                         bool marks_batches)
    : events_(events),
      ledger_(ledger),
      writer_(writer),
      delivery_(delivery),
      positions_(positions),
      metrics_(metrics),
      marks_batches_(marks_batches) {}

void BatchIntake::start() {
  events_.on_ready([this] { return on_readable(); });
}

void BatchIntake::resume() {
  if (is_paused_ && receive_batches()) events_.rearm();
}

void BatchIntake::expect_late_answer() {
  if (delivery_.expect_late_answer() && is_paused_) events_.rearm();
}

// ZeroMQ wakes us for a batch only if we have looked for one and there was none. So an idle Redis is given
// the first batch at once; what comes until it has answered waits in ZeroMQ and wakes nobody.
bool BatchIntake::on_readable() {
  if (delivery_.is_idle() && accepts_batches()) {
    if (!receive_batch()) return false;
    delivery_.write_next();
  }
  return receive_batches();
}

bool BatchIntake::receive_batches() {
  bool more = true;
  for (int i = 0; i < kBatchesPerTurn && more; ++i) {
    is_paused_ = !accepts_batches();
    more = !is_paused_ && receive_batch();
  }
  delivery_.write_next();  // even without room: only a commit makes some
  return more;
}

bool BatchIntake::receive_batch() {
  if (!events_.receive(header_part_)) return false;
  if (!header_part_.more()) {
    metrics_.batch_rejected("a message of one part; readers send a header and a payload");
    return true;
  }
  events_.receive(payload_part_);
  const bool too_many = payload_part_.more();
  zmq::message_t rest;
  while (payload_part_.more() && events_.receive(rest) && rest.more()) {
  }
  if (too_many) {
    metrics_.batch_rejected("a message of more than two parts");
  } else {
    on_batch(transport::view(header_part_), transport::view(payload_part_));
  }
  return true;
}

void BatchIntake::on_batch(std::string_view header_bytes, std::string_view payload) {
  const auto header = wire::decode_batch_header(header_bytes);
  if (!header) return metrics_.batch_rejected(header.error().message);
  const wire::BatchHeader& batch = header.value();
  const std::size_t sources_before = ledger_.sources().size();
  const Decision decision = ledger_.on_batch(batch);
  if (batch.count > 0) positions_.on_events(steady_now());
  if (decision.lost_redis > 0) metrics_.redis_lost_data(batch.source, decision.lost_redis);
  if (decision.dropped > 0) metrics_.reader_dropped(batch.source, decision.dropped);
  if (decision.found_duplicate_reader) metrics_.duplicate_reader(batch.source);
  if (decision.verdict == Verdict::Rejected)
    return metrics_.batch_rejected(
        "a second reader of its name, or more sources than md-publisher keeps apart");
  // Its reader waits for that.
  if (batch.closes || ledger_.sources().size() > sources_before) positions_.announce();
  // Otherwise the next position says to the reader where to go on.
  if (decision.verdict == Verdict::Accept) write(batch, payload, decision.skip);
}

void BatchIntake::write(const wire::BatchHeader& batch, std::string_view payload, std::uint32_t skip) {
  Transaction& filling = delivery_.filling();
  if (marks_batches_) filling.begin_batch(batch.source, batch.epoch);
  const BatchCount count = writer_.write(payload, skip, batch.count, filling, batch.first_seq);
  const std::uint64_t missing = batch.count - skip - count.added - count.malformed;
  if (!count.complete)
    metrics_.batch_rejected(
        fmt::format("the payload of '{}' breaks off or disagrees with its header", batch.source));
  if (count.malformed + missing > 0) metrics_.events_malformed(batch.source, count.malformed + missing);
  // Of the source's present epoch, even if this batch is left over from an earlier one.
  const Progress& present = ledger_.sources().find(batch.source)->second;
  filling.set_cursor(batch.source, {present.epoch, present.accepted});
}

}  // namespace mdpipe::publisher

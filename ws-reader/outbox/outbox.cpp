#include "ws-reader/outbox/outbox.hpp"

namespace mdpipe::reader {

Outbox::Outbox(std::string source, std::uint64_t epoch, OutboxLimits limits, Moment now, SpoolUse use,
               OutboxRuns runs)
    : source_(std::move(source)),
      epoch_(epoch),
      retained_(epoch, limits, use, runs.sequence_log, now),
      publisher_(epoch),
      predecessor_(runs.predecessor) {
  follow_front_epoch();
}

void Outbox::flush(Moment now) {
  retained_.flush(now);
  follow_front_epoch();
}

void Outbox::tick(Moment now) {
  retained_.tick(now);
  follow_front_epoch();
}

std::uint64_t Outbox::spool_all(Moment now) { return retained_.spool_all(now); }

void Outbox::mark_sent(Moment now) {
  const auto last_sent = retained_.last_sent();
  publisher_.on_sent(retained_.next()->last_seq(), last_sent, now.steady);
  retained_.mark_sent();
}

void Outbox::confirm_sent(Moment now) {
  const auto last_sent = retained_.last_sent();
  if (!last_sent) return;
  publisher_.on_written(*last_sent);
  retained_.release(publisher_.epoch(), *last_sent, now);
  follow_front_epoch();
}

wire::BatchHeader Outbox::header(const Batch& batch, UnixNanos sent) const {
  wire::BatchHeader header;
  header.source = source_;
  header.epoch = batch.epoch;
  header.first_seq = batch.first_seq;
  header.count = batch.count;
  header.oldest = retained_.seq_before_front() + 1;
  header.follows = batch.follows;
  header.confirmed = publisher_.confirmed();
  header.sent_ns = sent.count;
  return header;
}

wire::BatchHeader Outbox::heartbeat(UnixNanos sent) const {
  const bool awaits = awaited_predecessor() != nullptr;
  const std::uint64_t before = awaits ? publisher_.confirmed() : retained_.seq_before_front();
  wire::BatchHeader header;
  header.source = source_;
  header.epoch = publisher_.epoch();
  header.first_seq = before + 1;
  header.oldest = before + 1;
  header.follows = before;
  header.confirmed = publisher_.confirmed();
  header.sent_ns = sent.count;
  header.closes = awaits && predecessor_.is_closing();
  return header;
}

Outbox::PositionEffect Outbox::on_position(const wire::Position& position, Moment now) {
  const auto reaction = publisher_.on_position(position, retained_.last_sent(), now.steady);
  if (reaction.is_duplicate_reader) return PositionEffect::DuplicateReader;
  if (reaction.resend_after) retained_.resend_after(publisher_.epoch(), *reaction.resend_after);
  if (reaction.has_confirmed) {
    retained_.release(publisher_.epoch(), publisher_.confirmed(), now);
    follow_front_epoch();
  }
  if (reaction.redis_lost_events) return PositionEffect::RedisLostEvents;
  const bool is_news = reaction.is_for_us || reaction.is_new_publisher;
  const PositionEffect effect = reaction.resend_after ? PositionEffect::Resend
                                : is_news             ? PositionEffect::Progress
                                                      : PositionEffect::None;
  const bool is_awaited = reaction.is_for_us && awaited_predecessor() != nullptr;
  return is_awaited ? await_predecessor(position, effect, now.steady) : effect;
}

Outbox::PositionEffect Outbox::await_predecessor(const wire::Position& position, PositionEffect effect,
                                                 SteadyTime now) {
  if (!predecessor_.on_position(position, now))
    return predecessor_.is_closing() ? PositionEffect::SendHeartbeat : effect;
  predecessor_reached_ = publisher_.confirmed();
  follow_front_epoch();
  return PositionEffect::Progress;
}

// When another epoch comes to the front, nothing is known yet of what the publisher has of it.
void Outbox::follow_front_epoch() {
  const Predecessor* predecessor = awaited_predecessor();
  const std::uint64_t epoch = predecessor != nullptr ? predecessor->epoch : retained_.front_epoch();
  if (epoch == publisher_.epoch()) return;
  publisher_.enter_epoch(epoch, predecessor_.confirmed_of(epoch));
  retained_.resend_after(epoch, 0);
}

}  // namespace mdpipe::reader

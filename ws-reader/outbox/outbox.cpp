#include "ws-reader/outbox/outbox.hpp"

#include <algorithm>
#include <utility>

#include "libshared/wire/event_codec.hpp"

namespace mdpipe::reader {
namespace {

// A publisher that is up and accepts nothing of what was sent for so long has lost it: send again.
constexpr auto kResendAfter = std::chrono::seconds(1);
constexpr std::size_t kSpareBuffersMax = 16;
// What a killed reader left in its connection arrives meanwhile. Far more than a publisher needs that has
// written all it took; what comes later is refused and counted as lost.
constexpr auto kDrainQuiet = std::chrono::milliseconds(250);
// A publisher that answers and for so long does not get even: its word is taken as it is.
constexpr auto kAckLagMax = std::chrono::seconds(5);

}  // namespace

Outbox::Outbox(std::string source, std::uint64_t epoch, OutboxLimits limits, Moment now, SpoolUse use,
               OutboxLives lives)
    : source_(std::move(source)), epoch_(epoch), limits_(limits), use_(use), lives_(lives) {
  // What is on its way is never dropped, so it must leave room for what is not.
  limits_.window_bytes_max = std::min(limits_.window_bytes_max, limits_.retain_bytes_max / 2);
  if (use_.spool != nullptr) {
    set_aside_seen_ = use_.spool->times_set_aside();
    held_events_ = use_.spool->events();
  }
  refill(now);
  enter_front_epoch();
}

std::uint64_t Outbox::unconfirmed_events() const {
  const bool in_part = !resident_.empty() && resident_.front().epoch == peer_.epoch &&
                       peer_.confirmed >= resident_.front().first_seq;
  return held_events_ - (in_part ? peer_.confirmed - resident_.front().first_seq + 1 : 0);
}

void Outbox::append(const Event& event, Moment now) {
  if (open_.count == 0) {
    if (!spare_buffers_.empty()) {
      open_.payload = std::move(spare_buffers_.back());
      spare_buffers_.pop_back();
    }
    wire::begin_batch(open_.payload);
    open_.first_seq = next_seq_;
  }
  if (lives_.in_flight != nullptr) lives_.in_flight->note(lives_.in_flight->feed(event.type(), event.symbol));
  wire::encode_event(event, next_seq_++, open_.payload);
  ++open_.count;
  ++held_events_;
  if (open_.payload.size() >= limits_.batch_bytes_max) close_batch(now);
}

void Outbox::flush(Moment now) {
  if (open_.count > 0) close_batch(now);
  if (use_.mode == SpoolMode::Always) spill(now);
}

void Outbox::close_batch(Moment now) {
  wire::seal_batch(open_.payload, open_.count);
  open_.epoch = epoch_;
  open_.follows = open_.first_seq - 1;
  open_.opened_at = now.steady;
  place(std::exchange(open_, Batch()));
  enforce_limits(now);
}

void Outbox::place(Batch&& batch) {
  const std::size_t bytes = batch.payload.size();
  if (has_tail() || !waiting_.empty() || resident_bytes_ >= resident_bytes_max()) {
    waiting_.emplace_back() = std::move(batch);
    waiting_bytes_ += bytes;
  } else {
    resident_.emplace_back() = std::move(batch);
    resident_bytes_ += bytes;
  }
  enter_front_epoch();
}

// With a spool half of the memory is for the front of the queue, the other half for what is not written yet.
std::size_t Outbox::resident_bytes_max() const {
  return use_.spool == nullptr ? ~std::size_t{0} : limits_.retain_bytes_max / 2;
}

void Outbox::tick(Moment now) {
  if (use_.spool == nullptr) return;
  const Batch* oldest = nullptr;
  if (resident_spooled_ < resident_.size()) {
    oldest = &resident_[resident_spooled_];
  } else if (!waiting_.empty()) {
    oldest = &waiting_.front();
  }
  if (oldest != nullptr && now.steady - oldest->opened_at >= use_.after) spill(now);
  enforce_limits(now);
}

std::uint64_t Outbox::keep(Moment now) {
  flush(now);
  if (use_.spool == nullptr) return held_events_;
  return spill(now) ? 0 : held_events_ - use_.spool->events();
}

// Writes every closed batch that is not in the spool, in order. What was waiting then lies on disk alone.
bool Outbox::spill(Moment now) {
  if (use_.spool == nullptr) return false;
  to_spool_.clear();
  for (std::size_t i = resident_spooled_; i < resident_.size(); ++i) to_spool_.push_back(&resident_[i]);
  for (std::size_t i = 0; i < waiting_.size(); ++i) to_spool_.push_back(&waiting_[i]);
  if (to_spool_.empty()) return true;
  const bool written = use_.spool->append(to_spool_, now);
  if (written) mark_spooled();
  on_spool_set_aside();
  return written;
}

void Outbox::mark_spooled() {
  if (resident_spooled_ < resident_.size()) {
    resident_spooled_ = resident_.size();
    loaded_row_ = resident_[resident_.size() - 1].row;
  }
  while (!waiting_.empty()) waiting_.pop_front();
  waiting_bytes_ = 0;
}

// Brings the tail back into memory as room appears, then what waited behind it.
void Outbox::refill(Moment now) {
  while (has_tail() && resident_bytes_ < resident_bytes_max() / 2 && load_one(now)) {
  }
  if (!has_tail()) move_waiting();
}

bool Outbox::load_one(Moment now) {
  Batch batch;
  const auto result = use_.spool->read_after(loaded_row_, batch, now);
  switch (result) {
    case Spool::Read::Nothing:
      loaded_row_ = use_.spool->last_row();
      return false;
    case Spool::Read::Damaged:
      damaged_events_ += batch.count;
      held_events_ -= std::min<std::uint64_t>(batch.count, held_events_);
      if (batch.count > 0) {
        loaded_row_ = batch.row;
        use_.spool->remove(batch.row, now);
      }
      on_spool_set_aside();
      return true;
    case Spool::Read::Batch:
      break;
  }
  loaded_row_ = batch.row;
  resident_bytes_ += batch.payload.size();
  resident_.emplace_back() = std::move(batch);
  ++resident_spooled_;
  return true;
}

void Outbox::move_waiting() {
  while (!waiting_.empty()) {
    resident_.emplace_back() = std::move(waiting_.front());
    waiting_.pop_front();
  }
  resident_bytes_ += std::exchange(waiting_bytes_, 0);
}

// The tail went with the file; what is in memory is written again to the new one.
void Outbox::on_spool_set_aside() {
  if (use_.spool->times_set_aside() == set_aside_seen_) return;
  set_aside_seen_ = use_.spool->times_set_aside();
  std::uint64_t in_memory = open_.count;
  for (std::size_t i = 0; i < resident_.size(); ++i) {
    resident_[i].row = 0;
    in_memory += resident_[i].count;
  }
  for (std::size_t i = 0; i < waiting_.size(); ++i) in_memory += waiting_[i].count;
  damaged_events_ += held_events_ - std::min(in_memory, held_events_);
  held_events_ = in_memory;
  resident_spooled_ = 0;
  loaded_row_ = use_.spool->last_row();
  move_waiting();
}

void Outbox::enforce_limits(Moment now) {
  if (unconfirmed_bytes() > limits_.retain_bytes_max && !spill(now)) {
    while (unconfirmed_bytes() > limits_.retain_bytes_max && drop_oldest(now)) {
    }
  }
  while (spool_bytes() > limits_.spool_bytes_max && drop_oldest(now)) {
  }
}

// Replaces the oldest batch that is not on its way by the report of its loss, or adds it to the report before
// it. False where there is nothing to drop.
bool Outbox::drop_oldest(Moment now) {
  while (resident_.size() < sent_batches_ + 3 && has_tail() && load_one(now)) {
  }
  if (!has_tail()) move_waiting();
  std::size_t at = sent_batches_;
  const bool has_report = at < resident_.size() && resident_[at].reports_losses;
  if (has_report) ++at;
  if (at + 1 >= resident_.size()) return false;  // the newest stays, however large
  const bool merge = has_report && resident_[at - 1].epoch == resident_[at].epoch;
  const Batch& victim = resident_[at];
  LossReport loss;
  if (merge) loss.add(resident_[at - 1].payload.view());
  loss.add(victim.payload.view());
  for (const auto& [feed, lost] : loss.newly_lost()) {
    LossReport::Loss& sum = losses_[feed];
    if (sum.count == 0) sum.first = lost.first;
    sum.count += lost.count;
    sum.last = lost.last;
  }
  if (lives_.in_flight != nullptr && victim.epoch == epoch_)
    lives_.in_flight->forget(victim.first_seq, victim.last_seq());
  Batch report = loss.make_batch(victim.epoch, victim.last_seq(), now.wall);
  report.opened_at = victim.opened_at;
  report.follows = merge ? resident_[at - 1].follows : victim.follows;
  put_report(at, merge, std::move(report), now);
  return true;
}

void Outbox::put_report(std::size_t at, bool merge, Batch&& report, Moment now) {
  Batch& victim = resident_[at];
  report.row = victim.row;
  held_events_ -= victim.count;
  held_events_ += report.count;
  resident_bytes_ -= victim.payload.size();
  resident_bytes_ += report.payload.size();
  victim = std::move(report);
  if (victim.row != 0) use_.spool->replace(victim, now);
  if (merge) {  // the report before it is part of this one now
    const Batch& merged = resident_[at - 1];
    held_events_ -= merged.count;
    resident_bytes_ -= merged.payload.size();
    if (merged.row != 0) use_.spool->remove(merged.row, now);
    if (resident_spooled_ >= at) --resident_spooled_;
    for (std::size_t i = at - 1; i > 0; --i) resident_[i] = std::move(resident_[i - 1]);
    resident_.pop_front();
  }
  if (use_.spool != nullptr) on_spool_set_aside();
}

const Batch* Outbox::next() const {
  if (sent_batches_ >= resident_.size() || sent_bytes_ >= limits_.window_bytes_max) return nullptr;
  const Batch& batch = resident_[sent_batches_];
  return batch.epoch == resident_.front().epoch && !awaits_predecessor() ? &batch : nullptr;
}

void Outbox::mark_sent(Moment now) {
  const bool nothing_waits = sent_batches_ == 0 || resident_[sent_batches_ - 1].last_seq() <= peer_.accepted;
  if (nothing_waits) progress_at_ = now.steady;
  peer_.sent_max = std::max(peer_.sent_max, resident_[sent_batches_].last_seq());
  sent_bytes_ += resident_[sent_batches_].payload.size();
  ++sent_batches_;
}

void Outbox::confirm_sent(Moment now) {
  if (sent_batches_ == 0) return;
  peer_.confirmed = resident_[sent_batches_ - 1].last_seq();
  release_confirmed(now);
}

wire::BatchHeader Outbox::header(const Batch& batch, UnixNanos sent) const {
  wire::BatchHeader header;
  header.source = source_;
  header.epoch = batch.epoch;
  header.first_seq = batch.first_seq;
  header.count = batch.count;
  header.oldest = resident_.front().follows + 1;
  header.follows = batch.follows;
  header.confirmed = peer_.confirmed;
  header.sent_ns = sent.count;
  return header;
}

wire::BatchHeader Outbox::heartbeat(UnixNanos sent) const {
  const bool awaits = awaits_predecessor();
  const std::uint64_t before = awaits              ? peer_.confirmed
                               : resident_.empty() ? last_seq() - open_.count
                                                   : resident_.front().follows;
  wire::BatchHeader header;
  header.source = source_;
  header.epoch = peer_.epoch;
  header.first_seq = before + 1;
  header.oldest = before + 1;
  header.follows = before;
  header.confirmed = peer_.confirmed;
  header.sent_ns = sent.count;
  header.closes = awaits && predecessor_end_.closing;
  return header;
}

Outbox::PositionEffect Outbox::on_position(const wire::Position& position, Moment now) {
  const bool ours = position.epoch == peer_.epoch;
  if (position.epoch == epoch_ && position.refused) return PositionEffect::Refused;
  const bool new_publisher = position.instance != publisher_instance_;
  // The first publisher ever heard may have everything on its way already; if not, it will seem stalled.
  const bool replaced = new_publisher && publisher_instance_ != 0;
  publisher_instance_ = position.instance;
  // Of an earlier life the publisher may know more than what is left in the spool.
  const std::uint64_t known_max = peer_.epoch == epoch_ ? peer_.sent_max : ~std::uint64_t{0};
  // Words to others change nothing here, but they show that the publisher is there and what it has not taken.
  std::uint64_t accepted = peer_.accepted;
  if (ours) {
    accepted = std::min(position.accepted, known_max);
  } else if (new_publisher) {
    accepted = peer_.confirmed;
  }
  const std::uint64_t accepted_before = std::exchange(peer_.accepted, accepted);
  const bool redis_lost = ours && position.lost_to > peer_.lost_to;
  if (ours) peer_.lost_to = position.lost_to;
  if (accepted > accepted_before) progress_at_ = now.steady;
  const bool stalled = sent_batches_ > 0 && position.redis_up && now.steady - progress_at_ >= kResendAfter &&
                       accepted < resident_[sent_batches_ - 1].last_seq();
  const bool resend = replaced || accepted < accepted_before || stalled;
  if (resend) resend_from(accepted + 1, now.steady);
  if (ours && position.confirmed > peer_.confirmed && position.confirmed <= known_max) {
    peer_.confirmed = position.confirmed;
    if (lives_.in_flight != nullptr && peer_.epoch == epoch_) lives_.in_flight->confirm(peer_.confirmed);
    release_confirmed(now);
  }
  if (redis_lost) return PositionEffect::RedisLostData;
  const PositionEffect effect = resend                  ? PositionEffect::Resend
                                : ours || new_publisher ? PositionEffect::Progress
                                                        : PositionEffect::None;
  return ours && awaits_predecessor() ? await_predecessor(position, effect, now.steady) : effect;
}

std::uint64_t Outbox::front_epoch() const {
  const std::uint64_t epoch = resident_.empty() ? epoch_ : resident_.front().epoch;
  return is_after_predecessor(epoch) ? lives_.predecessor->epoch : epoch;
}

// Without a spool nothing but the clock tells the lives apart, and it may have been set back.
bool Outbox::is_after_predecessor(std::uint64_t epoch) const {
  return lives_.predecessor && (epoch == epoch_ || epoch > lives_.predecessor->epoch);
}

// Of it and of what came before it nothing is left to send.
bool Outbox::awaits_predecessor() const {
  return is_after_predecessor(resident_.empty() ? epoch_ : resident_.front().epoch);
}

// The publisher has taken and written some of it, and messages that the dead reader left in its connection
// may still come in. Once that seems over it is told that there is no more, and its answer is final.
Outbox::PositionEffect Outbox::await_predecessor(const wire::Position& position, PositionEffect effect,
                                                 SteadyTime now) {
  const bool has_moved = position.accepted != predecessor_end_.accepted ||
                         position.confirmed != predecessor_end_.confirmed || !position.redis_up;
  if (has_moved || predecessor_end_.quiet_since == SteadyTime{}) predecessor_end_.quiet_since = now;
  predecessor_end_.accepted = position.accepted;
  predecessor_end_.confirmed = position.confirmed;
  const auto quiet = now - predecessor_end_.quiet_since;
  const bool is_even = position.accepted == position.confirmed || quiet >= kAckLagMax;
  predecessor_end_.closing = predecessor_end_.closing || (is_even && quiet >= kDrainQuiet);
  const bool is_over = position.refused || (predecessor_end_.closing && position.closed && is_even);
  if (!is_over) return predecessor_end_.closing ? PositionEffect::Ask : effect;
  settled_ = peer_.confirmed;
  lives_.predecessor.reset();
  enter_front_epoch();
  return PositionEffect::Progress;
}

void Outbox::resend_from(std::uint64_t seq, SteadyTime now) {
  sent_batches_ = 0;
  sent_bytes_ = 0;
  progress_at_ = now;
  while (sent_batches_ < resident_.size() && resident_[sent_batches_].epoch == peer_.epoch &&
         resident_[sent_batches_].last_seq() < seq) {
    sent_bytes_ += resident_[sent_batches_].payload.size();
    ++sent_batches_;
  }
}

void Outbox::release_confirmed(Moment now) {
  std::int64_t row = 0;
  for (;;) {
    while (!resident_.empty() && resident_.front().epoch == peer_.epoch &&
           resident_.front().last_seq() <= peer_.confirmed) {
      row = std::max(row, resident_.front().row);
      remove_front();
    }
    const std::size_t before = resident_.size();
    refill(now);
    if (resident_.size() == before || resident_.empty()) break;
  }
  if (row != 0) {
    use_.spool->remove_through(row, now);
    on_spool_set_aside();
  }
  enter_front_epoch();
}

void Outbox::remove_front() {
  Batch& front = resident_.front();
  resident_bytes_ -= front.payload.size();
  held_events_ -= std::min<std::uint64_t>(front.count, held_events_);
  if (resident_spooled_ > 0) --resident_spooled_;
  if (sent_batches_ > 0) {
    --sent_batches_;
    sent_bytes_ -= front.payload.size();
  }
  if (spare_buffers_.size() < kSpareBuffersMax) spare_buffers_.push_back(std::move(front.payload));
  resident_.pop_front();
}

void Outbox::drop_spare_memory() {
  spare_buffers_.clear();
  if (use_.spool != nullptr) use_.spool->drop_cache();
}

// The next life's events come to the front: what the publisher knows of them is not known here.
void Outbox::enter_front_epoch() {
  const std::uint64_t epoch = front_epoch();
  if (epoch == peer_.epoch) return;
  peer_ = Peer();
  peer_.epoch = epoch;
  if (lives_.predecessor && epoch == lives_.predecessor->epoch)
    peer_.confirmed = peer_.accepted = lives_.predecessor->confirmed;
  sent_batches_ = 0;
  sent_bytes_ = 0;
}

std::chrono::nanoseconds Outbox::oldest_age(SteadyTime now) const {
  if (!resident_.empty()) return now - resident_.front().opened_at;
  if (!waiting_.empty()) return now - waiting_.front().opened_at;
  return std::chrono::nanoseconds(0);
}

}  // namespace mdpipe::reader

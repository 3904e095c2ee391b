#include "ws-reader/outbox/retained_events.hpp"

#include <algorithm>

#include "libshared/wire/event_codec.hpp"

namespace mdpipe::reader {
namespace {

constexpr std::size_t kSpareBuffersMax = 16;

}  // namespace

RetainedEvents::RetainedEvents(std::uint64_t epoch, OutboxLimits limits, SpoolUse use,
                               SequenceLog* sequence_log, Moment now)
    : epoch_(epoch), limits_(limits), use_(use), sequence_log_(sequence_log) {
  // A sent batch is never dropped, so the window must leave room for unsent ones.
  limits_.window_bytes_max = std::min(limits_.window_bytes_max, limits_.retain_bytes_max / 2);
  if (use_.spool != nullptr) {
    set_aside_seen_ = use_.spool->times_set_aside();
    held_events_ = use_.spool->events();
  }
  refill(now);
}

bool RetainedEvents::append(const Event& event) {
  if (open_.count == 0) {
    if (!spare_buffers_.empty()) {
      open_.payload = std::move(spare_buffers_.back());
      spare_buffers_.pop_back();
    }
    wire::begin_batch(open_.payload);
    open_.first_seq = next_seq_;
  }
  if (sequence_log_ != nullptr) sequence_log_->note(sequence_log_->feed(event.type(), event.symbol));
  wire::encode_event(event, next_seq_++, open_.payload);
  ++open_.count;
  ++held_events_;
  return open_.payload.size() >= limits_.batch_bytes_max;
}

void RetainedEvents::flush(Moment now) {
  if (open_.count > 0) close_batch(now);
  if (use_.mode == SpoolMode::Always) write_to_spool(now);
}

void RetainedEvents::close_batch(Moment now) {
  wire::seal_batch(open_.payload, open_.count);
  open_.epoch = epoch_;
  open_.follows = open_.first_seq - 1;
  open_.opened_at = now.steady;
  enqueue(std::exchange(open_, Batch()));
  enforce_limits(now);
}

void RetainedEvents::enqueue(Batch&& batch) {
  const std::size_t bytes = batch.payload.size();
  if (has_tail() || !waiting_.empty() || resident_bytes_ >= resident_bytes_max()) {
    waiting_.emplace_back() = std::move(batch);
    waiting_bytes_ += bytes;
  } else {
    resident_.emplace_back() = std::move(batch);
    resident_bytes_ += bytes;
  }
}

// With a spool, half of the memory is for the front of the queue and half for what is not written yet.
std::size_t RetainedEvents::resident_bytes_max() const {
  return use_.spool == nullptr ? ~std::size_t{0} : limits_.retain_bytes_max / 2;
}

void RetainedEvents::tick(Moment now) {
  if (use_.spool == nullptr) return;
  const Batch* oldest = oldest_unspooled();
  if (oldest != nullptr && now.steady - oldest->opened_at >= use_.after) write_to_spool(now);
  enforce_limits(now);
}

const Batch* RetainedEvents::oldest_unspooled() const {
  if (resident_spooled_ < resident_.size()) return &resident_[resident_spooled_];
  return waiting_.empty() ? nullptr : &waiting_.front();
}

std::uint64_t RetainedEvents::spool_all(Moment now) {
  flush(now);
  if (use_.spool == nullptr) return held_events_;
  return write_to_spool(now) ? 0 : held_events_ - use_.spool->events();
}

// Writes every closed batch that is not in the spool, in order. False if they are only in memory still.
bool RetainedEvents::write_to_spool(Moment now) {
  if (use_.spool == nullptr) return false;
  to_spool_.clear();
  for (std::size_t i = resident_spooled_; i < resident_.size(); ++i) to_spool_.push_back(&resident_[i]);
  for (std::size_t i = 0; i < waiting_.size(); ++i) to_spool_.push_back(&waiting_[i]);
  if (to_spool_.empty()) return true;
  const bool written = use_.spool->append(to_spool_, now);
  if (written) on_spooled();
  check_set_aside();
  return written;
}

// The resident batches stay in memory; the waiting ones become part of the tail.
void RetainedEvents::on_spooled() {
  if (resident_spooled_ < resident_.size()) {
    resident_spooled_ = resident_.size();
    loaded_row_ = resident_[resident_.size() - 1].row;
  }
  while (!waiting_.empty()) waiting_.pop_front();
  waiting_bytes_ = 0;
}

// Loads the tail as room appears, then moves up what waited behind it.
void RetainedEvents::refill(Moment now) {
  while (has_tail() && resident_bytes_ < resident_bytes_max() / 2 && load_one(now)) {
  }
  if (!has_tail()) move_waiting();
}

bool RetainedEvents::load_one(Moment now) {
  Batch batch;
  switch (use_.spool->read_after(loaded_row_, batch, now)) {
    case Spool::Read::Nothing:
      loaded_row_ = use_.spool->last_row();
      return false;
    case Spool::Read::Damaged:
      on_damaged_batch(batch, now);
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

// `batch` has no events if the whole file was set aside.
void RetainedEvents::on_damaged_batch(const Batch& batch, Moment now) {
  damaged_events_ += batch.count;
  held_events_ -= std::min<std::uint64_t>(batch.count, held_events_);
  if (batch.count > 0) {
    loaded_row_ = batch.row;
    use_.spool->remove(batch.row, now);
  }
  check_set_aside();
}

void RetainedEvents::move_waiting() {
  while (!waiting_.empty()) {
    resident_.emplace_back() = std::move(waiting_.front());
    waiting_.pop_front();
  }
  resident_bytes_ += std::exchange(waiting_bytes_, 0);
}

// If the spool's file was set aside, the tail is lost with it, and what is in memory is not in the new file.
void RetainedEvents::check_set_aside() {
  if (use_.spool->times_set_aside() == set_aside_seen_) return;
  set_aside_seen_ = use_.spool->times_set_aside();
  const std::uint64_t in_memory = events_in_memory();
  damaged_events_ += held_events_ - std::min(in_memory, held_events_);
  held_events_ = in_memory;
  for (std::size_t i = 0; i < resident_.size(); ++i) resident_[i].row = 0;
  resident_spooled_ = 0;
  loaded_row_ = use_.spool->last_row();
  move_waiting();
}

std::uint64_t RetainedEvents::events_in_memory() const {
  std::uint64_t events = open_.count;
  for (std::size_t i = 0; i < resident_.size(); ++i) events += resident_[i].count;
  for (std::size_t i = 0; i < waiting_.size(); ++i) events += waiting_[i].count;
  return events;
}

void RetainedEvents::enforce_limits(Moment now) {
  if (memory_bytes() > limits_.retain_bytes_max && !write_to_spool(now)) {
    while (memory_bytes() > limits_.retain_bytes_max && drop_oldest(now)) {
    }
  }
  while (spool_bytes() > limits_.spool_bytes_max && drop_oldest(now)) {
  }
}

// Replaces the oldest unsent batch by a report of its loss. A report just before it becomes part of the new
// one. False if there is nothing to drop: the newest batch stays, however large.
bool RetainedEvents::drop_oldest(Moment now) {
  constexpr std::size_t kNeeded = 3;  // a report, the batch to drop, and one that stays
  while (resident_.size() < sent_batches_ + kNeeded && has_tail() && load_one(now)) {
  }
  if (!has_tail()) move_waiting();
  std::size_t at = sent_batches_;
  const bool has_report = at < resident_.size() && resident_[at].reports_losses;
  if (has_report) ++at;
  if (at + 1 >= resident_.size()) return false;
  const bool merge = has_report && resident_[at - 1].epoch == resident_[at].epoch;
  replace(at, report_loss_of(resident_[at], merge ? &resident_[at - 1] : nullptr, now.wall), now);
  if (merge) remove_report(at - 1, now);
  if (use_.spool != nullptr) check_set_aside();
  return true;
}

Batch RetainedEvents::report_loss_of(const Batch& victim, const Batch* earlier_report, UnixNanos now) {
  LossReport loss;
  if (earlier_report != nullptr) loss.add(earlier_report->payload.view());
  loss.add(victim.payload.view());
  for (const auto& [feed, lost] : loss.newly_lost()) {
    LossReport::Loss& sum = losses_[feed];
    if (sum.count == 0) sum.first = lost.first;
    sum.count += lost.count;
    sum.last = lost.last;
  }
  if (sequence_log_ != nullptr && victim.epoch == epoch_)
    sequence_log_->forget(victim.first_seq, victim.last_seq());
  Batch report = loss.make_batch(victim.epoch, victim.last_seq(), now);
  report.opened_at = victim.opened_at;
  report.follows = earlier_report != nullptr ? earlier_report->follows : victim.follows;
  report.row = victim.row;
  return report;
}

void RetainedEvents::replace(std::size_t at, Batch&& report, Moment now) {
  Batch& victim = resident_[at];
  held_events_ -= victim.count;
  held_events_ += report.count;
  resident_bytes_ -= victim.payload.size();
  resident_bytes_ += report.payload.size();
  victim = std::move(report);
  if (victim.row != 0) use_.spool->replace(victim, now);
}

void RetainedEvents::remove_report(std::size_t at, Moment now) {
  const Batch& report = resident_[at];
  held_events_ -= report.count;
  resident_bytes_ -= report.payload.size();
  if (report.row != 0) use_.spool->remove(report.row, now);
  if (resident_spooled_ > at) --resident_spooled_;
  for (std::size_t i = at; i > 0; --i) resident_[i] = std::move(resident_[i - 1]);
  resident_.pop_front();
}

void RetainedEvents::resend_after(std::uint64_t epoch, std::uint64_t seq) {
  sent_batches_ = 0;
  sent_bytes_ = 0;
  while (sent_batches_ < resident_.size() && resident_[sent_batches_].epoch == epoch &&
         resident_[sent_batches_].last_seq() <= seq)
    mark_sent();
}

void RetainedEvents::release(std::uint64_t epoch, std::uint64_t seq, Moment now) {
  if (sequence_log_ != nullptr && epoch == epoch_) sequence_log_->confirm(seq);
  std::int64_t row = 0;
  for (;;) {
    while (!resident_.empty() && resident_.front().epoch == epoch && resident_.front().last_seq() <= seq) {
      row = std::max(row, resident_.front().row);
      remove_front();
    }
    const std::size_t before = resident_.size();
    refill(now);
    if (resident_.size() == before || resident_.empty()) break;
  }
  if (row != 0) {
    use_.spool->remove_through(row, now);
    check_set_aside();
  }
}

void RetainedEvents::remove_front() {
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

void RetainedEvents::drop_spare_memory() {
  spare_buffers_.clear();
  if (use_.spool != nullptr) use_.spool->drop_cache();
}

std::uint64_t RetainedEvents::unconfirmed_events(std::uint64_t epoch, std::uint64_t seq) const {
  const bool in_part =
      !resident_.empty() && resident_.front().epoch == epoch && seq >= resident_.front().first_seq;
  return held_events_ - (in_part ? seq - resident_.front().first_seq + 1 : 0);
}

std::chrono::nanoseconds RetainedEvents::oldest_age(SteadyTime now) const {
  if (!resident_.empty()) return now - resident_.front().opened_at;
  if (!waiting_.empty()) return now - waiting_.front().opened_at;
  return std::chrono::nanoseconds(0);
}

}  // namespace mdpipe::reader

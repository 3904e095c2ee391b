#include "ws-reader/outbox.hpp"

#include <algorithm>
#include <utility>

#include "libshared/wire/event_codec.hpp"

namespace mdpipe::reader {
namespace {

// A publisher that is up and accepts nothing of what was sent for so long has lost it: send again.
constexpr auto kResendAfter = std::chrono::seconds(1);
constexpr std::size_t kSpareBuffersMax = 16;

}  // namespace

Outbox::Outbox(std::string source, std::uint64_t epoch, OutboxLimits limits)
    : source_(std::move(source)), epoch_(epoch), limits_(limits) {}

void Outbox::append(const Event& event) {
  if (!open_) open_batch();
  Batch& batch = batches_.back();
  const std::size_t before = batch.payload.size();
  wire::encode_event(event, next_seq_++, batch.payload);
  ++batch.count;
  ++batch.by_type[static_cast<std::size_t>(event.type())];
  retained_bytes_ += batch.payload.size() - before;
  if (batch.payload.size() >= limits_.batch_bytes_max) flush();
  while (retained_bytes_ > limits_.retain_bytes_max && batches_.size() > 1) drop_oldest();
}

void Outbox::open_batch() {
  Batch& batch = batches_.emplace_back();
  if (!spare_buffers_.empty()) {
    batch.payload = std::move(spare_buffers_.back());
    spare_buffers_.pop_back();
  }
  wire::begin_batch(batch.payload);
  batch.first_seq = next_seq_;
  retained_bytes_ += batch.payload.size();
  open_ = true;
}

void Outbox::flush() {
  if (!open_) return;
  wire::seal_batch(batches_.back().payload, batches_.back().count);
  open_ = false;
}

const Batch* Outbox::next() const {
  const std::size_t sendable = batches_.size() - (open_ ? 1 : 0);
  if (sent_batches_ >= sendable || sent_bytes_ >= limits_.window_bytes_max) return nullptr;
  return &batches_[sent_batches_];
}

void Outbox::mark_sent(SteadyTime now) {
  const bool nothing_waits = sent_batches_ == 0 || batches_[sent_batches_ - 1].last_seq() <= accepted_;
  if (nothing_waits) progress_at_ = now;
  sent_seq_max_ = std::max(sent_seq_max_, batches_[sent_batches_].last_seq());
  sent_bytes_ += batches_[sent_batches_].payload.size();
  ++sent_batches_;
}

void Outbox::confirm_sent() {
  if (sent_batches_ == 0) return;
  confirmed_ = batches_[sent_batches_ - 1].last_seq();
  release_confirmed();
}

wire::BatchHeader Outbox::header(const Batch& batch) const {
  return {source_, epoch_, batch.first_seq, batch.count, oldest_seq()};
}

Outbox::PositionEffect Outbox::on_position(const wire::Position& position, SteadyTime now) {
  const bool ours = position.epoch == epoch_;
  const bool new_publisher = position.instance != publisher_instance_;
  // The first publisher ever heard may have everything on its way already; if not, it will seem stalled.
  const bool replaced = new_publisher && publisher_instance_ != 0;
  publisher_instance_ = position.instance;
  // Words to others change nothing here, but they show that the publisher is there and what it has not taken.
  std::uint64_t accepted = accepted_;
  if (ours) {
    accepted = std::min(position.accepted, sent_seq_max_);
  } else if (new_publisher) {
    accepted = confirmed_;
  }
  const std::uint64_t accepted_before = std::exchange(accepted_, accepted);
  const bool went_back = ours && position.confirmed < confirmed_;
  if (ours && position.confirmed > confirmed_ && position.confirmed <= sent_seq_max_) {
    confirmed_ = position.confirmed;
    release_confirmed();
  }
  if (accepted > accepted_before) progress_at_ = now;
  const bool stalled = sent_batches_ > 0 && position.redis_up && now - progress_at_ >= kResendAfter &&
                       accepted < batches_[sent_batches_ - 1].last_seq();
  if (replaced || accepted < accepted_before || stalled) {
    resend_from(accepted + 1, now);
    return went_back ? PositionEffect::WentBack : PositionEffect::Resend;
  }
  return ours || new_publisher ? PositionEffect::Progress : PositionEffect::None;
}

void Outbox::resend_from(std::uint64_t seq, SteadyTime now) {
  sent_batches_ = 0;
  sent_bytes_ = 0;
  progress_at_ = now;
  while (sent_batches_ < batches_.size() && batches_[sent_batches_].count > 0 &&
         batches_[sent_batches_].last_seq() < seq) {
    sent_bytes_ += batches_[sent_batches_].payload.size();
    ++sent_batches_;
  }
}

void Outbox::release_confirmed() {
  while (!batches_.empty() && batches_.front().last_seq() <= confirmed_) remove_front();
}

void Outbox::drop_oldest() {
  for (std::size_t type = 0; type < dropped_.size(); ++type) dropped_[type] += batches_.front().by_type[type];
  remove_front();
}

void Outbox::remove_front() {
  Batch& front = batches_.front();
  retained_bytes_ -= front.payload.size();
  if (sent_batches_ > 0) {
    --sent_batches_;
    sent_bytes_ -= front.payload.size();
  }
  if (spare_buffers_.size() < kSpareBuffersMax) spare_buffers_.push_back(std::move(front.payload));
  batches_.pop_front();
}

CountByType Outbox::take_dropped() { return std::exchange(dropped_, CountByType{}); }

}  // namespace mdpipe::reader

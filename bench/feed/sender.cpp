#include "bench/feed/sender.hpp"

#include <algorithm>
#include <ctime>

namespace mdpipe::bench {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kTickNs = 200'000;
constexpr std::size_t kWriteBytesMax = 128U << 10U;
constexpr std::size_t kWriteFramesMax = 1024;
constexpr std::int64_t kListenEveryNs = 50'000'000;

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * kNsPerSecond + now.tv_nsec;
}

void sleep_until(std::int64_t wake) {
  const std::int64_t left = wake - now_ns();
  if (left <= 0) return;
  const timespec span{left / kNsPerSecond, left % kNsPerSecond};
  (void)nanosleep(&span, nullptr);
}

}  // namespace

Sender::Sender(const Options& options, FramePool& pool, Client& client)
    : options_(options), pool_(pool), client_(client) {
  due_.reserve(kWriteFramesMax);
  if (!options.table_file.empty()) {
    const double seconds = options.seconds + options.burst.seconds * options.burst.factor;
    table_.reserve(
        static_cast<std::size_t>(std::max(static_cast<double>(options.count), options.rate * seconds)) + 1);
  }
}

void Sender::run() {
  started_ = now_ns();
  account_.first_sent = started_;
  if (options_.rate > 0) {
    run_paced();
  } else {
    run_flat_out();
  }
}

bool Sender::is_over(std::int64_t now) const {
  if (!client_.is_open()) return true;
  if (options_.count > 0 && account_.frames >= options_.count) return true;
  return options_.seconds > 0 && now - started_ >= static_cast<std::int64_t>(options_.seconds * kNsPerSecond);
}

void Sender::run_flat_out() {
  std::int64_t listened = started_;
  for (std::int64_t now = started_; !is_over(now); now = now_ns()) {
    due_.clear();
    const std::size_t left = options_.count > 0 ? options_.count - account_.frames : kWriteFramesMax;
    std::size_t bytes = 0, frames = 0;
    while (frames < std::min(left, kWriteFramesMax) && next_ + frames < pool_.size() &&
           bytes < kWriteBytesMax) {
      bytes += pool_[next_ + frames++].size;
      due_.push_back(now);
    }
    if (!send(frames, now)) return;
    if (now - listened < kListenEveryNs) continue;
    listened = now;
    client_.listen(0);
  }
}

// From one frame to the next.
std::int64_t Sender::step(std::int64_t due) const {
  const double since = static_cast<double>(due - started_) / kNsPerSecond;
  const Burst& burst = options_.burst;
  const bool in_burst = since >= burst.at && since < burst.at + burst.seconds;
  return static_cast<std::int64_t>(kNsPerSecond / (options_.rate * (in_burst ? burst.factor : 1)));
}

void Sender::run_paced() {
  std::int64_t due = started_, listened = started_;
  for (std::int64_t now = started_; !is_over(due); now = now_ns()) {
    due_.clear();
    const std::size_t left = options_.count > 0 ? options_.count - account_.frames : kWriteFramesMax;
    std::size_t bytes = 0;
    while (due <= now && !is_over(due) && due_.size() < std::min(left, kWriteFramesMax) &&
           bytes < kWriteBytesMax && next_ + due_.size() < pool_.size()) {
      bytes += pool_[next_ + due_.size()].size;
      due_.push_back(due);
      due += step(due);
    }
    if (!due_.empty() && !send(due_.size(), now)) return;
    if (now - listened >= kListenEveryNs) {
      listened = now;
      client_.listen(0);
    }
    if (due > now) sleep_until(std::max(due, now + kTickNs));
  }
}

// The next frames of the pool, which lie behind one another, in one write.
bool Sender::send(std::size_t frames, std::int64_t now) {
  const std::string_view timestamp = timestamp_.at(now);
  for (std::size_t i = 0; i < frames; ++i) {
    const Frame& frame = pool_[next_ + i];
    pool_.stamp(frame, timestamp);
    ++account_.by_kind[static_cast<std::size_t>(frame.kind)];
    if (!options_.table_file.empty()) table_.push_back({static_cast<std::int64_t>(frame.kind), due_[i], now});
  }
  const std::string_view bytes = pool_.bytes(next_, next_ + frames - 1);
  const bool sent = client_.send(bytes);
  account_.frames += frames;
  account_.bytes += bytes.size();
  account_.last_sent = now_ns();
  next_ = (next_ + frames) % pool_.size();
  return sent;
}

}  // namespace mdpipe::bench

#include "ws-reader/books/rest_queue.hpp"

#include <algorithm>

namespace mdpipe::reader {

using std::chrono::milliseconds;

bool RestQueue::add(std::string_view symbol) {
  if (std::find(waiting_.begin(), waiting_.end(), symbol) != waiting_.end()) return true;
  if (waiting_.size() >= limits_.symbols_max) return false;
  waiting_.emplace_back(symbol);
  return true;
}

void RestQueue::remove(std::string_view symbol) {
  waiting_.erase(std::remove(waiting_.begin(), waiting_.end(), symbol), waiting_.end());
  if (current_ == symbol) is_current_unwanted_ = true;
}

std::optional<milliseconds> RestQueue::wait(SteadyTime now) const {
  if (waiting_.empty() || !current_.empty()) return std::nullopt;
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(not_before_ - now));
}

const std::string& RestQueue::take() {
  current_ = std::move(waiting_.front());
  waiting_.pop_front();
  is_current_unwanted_ = false;
  return current_;
}

void RestQueue::on_done() {
  current_.clear();
  failures_ = 0;
}

milliseconds RestQueue::on_failed(SteadyTime now, std::chrono::seconds asked) {
  constexpr unsigned kDoublingsMax = 20;
  const milliseconds doubled = limits_.delay_min * (1L << std::min(failures_, kDoublingsMax));
  ++failures_;
  const milliseconds delay =
      std::max(std::min(doubled, limits_.delay_max), std::min<milliseconds>(asked, limits_.asked_delay_max));
  not_before_ = now + delay;
  std::string failed;
  failed.swap(current_);
  // The symbol may have been requested again meanwhile. The queue may then be one over its limit.
  if (!is_current_unwanted_ && std::find(waiting_.begin(), waiting_.end(), failed) == waiting_.end())
    waiting_.push_back(std::move(failed));
  return delay;
}

}  // namespace mdpipe::reader

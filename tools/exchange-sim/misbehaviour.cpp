#include "tools/exchange-sim/misbehaviour.hpp"

namespace mdpipe::sim {

bool FrameRules::admits(const std::string& symbol) {
  if (config_->silence_after != 0 && sent_ >= config_->silence_after) return false;
  if (config_->silence_symbol.empty() || symbol != config_->silence_symbol) return true;
  return sent_of_silenced_++ < config_->silence_symbol_after;
}

BookFault FrameRules::next_book_frame() {
  ++book_frames_;
  const auto is_due = [this](std::uint64_t every) { return every != 0 && book_frames_ % every == 0; };
  if (is_due(config_->skip_delta_every)) return BookFault::Skip;
  if (is_due(config_->cross_book_every)) return BookFault::Cross;
  return is_due(config_->wrong_mid_every) ? BookFault::WrongMid : BookFault::None;
}

Aftermath FrameRules::after_sending() {
  ++sent_;
  const auto is_at = [this](std::uint64_t limit) { return limit != 0 && sent_ == limit; };
  Aftermath aftermath;
  aftermath.garbage = config_->garbage_every != 0 && sent_ % config_->garbage_every == 0;
  aftermath.bomb = is_at(config_->bomb_after);
  aftermath.close = is_at(config_->close_after);
  aftermath.drop = is_at(config_->drop_after);
  return aftermath;
}

}  // namespace mdpipe::sim

#pragma once
// By how much a total has grown in a window that ends now. The window moves in steps of a sixtieth of its
// length, so it takes half a kilobyte of memory and can be one step too short. Pure.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "libshared/time/time.hpp"

namespace mdpipe::agent {

class Growth {
 public:
  explicit Growth(std::chrono::nanoseconds window) : step_(window / kSteps) {}

  // `total` begins at 0; neither `total` nor `now` ever decreases.
  std::uint64_t update(std::uint64_t total, SteadyTime now) {
    if (!begin_) begin_ = now;
    const auto step = static_cast<std::uint64_t>((now - *begin_) / step_);
    // A step without an update begins with the last known total.
    const std::uint64_t skipped = std::min<std::uint64_t>(step - last_step_, kSteps);
    for (std::uint64_t i = 0; i < skipped; ++i) at_begin_[(step - i) % kSteps] = last_total_;
    last_step_ = step;
    last_total_ = total;
    return total - at_begin_[(step + 1) % kSteps];
  }

 private:
  static constexpr std::size_t kSteps = 60;

  std::chrono::nanoseconds step_;
  std::optional<SteadyTime> begin_;
  std::uint64_t last_step_ = 0;
  std::uint64_t last_total_ = 0;
  std::array<std::uint64_t, kSteps> at_begin_{};  // the total when step i % kSteps began
};

}  // namespace mdpipe::agent

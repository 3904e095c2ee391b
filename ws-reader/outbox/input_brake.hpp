#pragma once
// Decides when the reader stops taking frames for a moment, so that what it has and Redis has not stays
// small: an exchange or a file can be read faster than Redis takes it, and what is read then only waits here.
// The kernel's window passes the pause on to the sender. An exchange cuts a client that does not read, so a
// pause has an end: where Redis does not catch up in time, the frames are taken again and kept (outbox.hpp).
#include <chrono>
#include <cstddef>
#include <optional>

#include "libshared/time/time.hpp"

namespace mdpipe::reader {

class InputBrake {
 public:
  struct Limits {
    std::size_t bytes_max = 4U << 20U;  // a pause begins above it and ends below half of it
    // A pause is never longer; none where the sender waits for ever, as a file does.
    std::optional<std::chrono::milliseconds> pause_max = std::chrono::milliseconds(500);
  };

  explicit InputBrake(Limits limits) : limits_(limits) {}

  // Call with what is unconfirmed after each frame, after each confirmation and a few times a second. True
  // while no frame should be taken.
  bool should_pause(std::size_t unconfirmed_bytes, SteadyTime now) {
    if (unconfirmed_bytes < limits_.bytes_max / 2) {
      state_ = State::Off;
    } else if (state_ == State::Off && unconfirmed_bytes > limits_.bytes_max) {
      state_ = State::On;
      since_ = now;
    } else if (state_ == State::On && limits_.pause_max && now - since_ >= *limits_.pause_max) {
      state_ = State::Exhausted;
    }
    return state_ == State::On;
  }

 private:
  enum class State {
    Off,
    On,
    Exhausted,  // a pause did not help: no other one until Redis has caught up
  };

  Limits limits_;
  State state_ = State::Off;
  SteadyTime since_{};
};

}  // namespace mdpipe::reader

#pragma once
// Decides when the reader pauses its input, so that few events are unconfirmed: an exchange or a file can be
// read faster than Redis writes, and the difference would only wait in memory. The TCP window passes the
// pause on to the sender. An exchange disconnects a client that does not read, so a pause is limited: if
// Redis does not catch up in time, frames are read again and their events are kept (outbox.hpp).
#include <chrono>
#include <cstddef>
#include <optional>

#include "libshared/time/time.hpp"

namespace mdpipe::reader {

class InputBrake {
 public:
  struct Limits {
    std::size_t bytes_max = 4U << 20U;  // a pause begins above it and ends below half of it
    // The longest pause; no limit if the sender always waits, as a file does.
    std::optional<std::chrono::milliseconds> pause_max = std::chrono::milliseconds(500);
  };

  explicit InputBrake(Limits limits) : limits_(limits) {}

  // Call after each frame, after each confirmation and a few times a second. True while no frame should be
  // read.
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
    Exhausted,  // a pause did not help: no other pause until Redis has caught up
  };

  Limits limits_;
  State state_ = State::Off;
  SteadyTime since_{};
};

}  // namespace mdpipe::reader

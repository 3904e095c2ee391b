#pragma once
// Waits for the end of the previous run. It was killed with events that are in no spool, and md-publisher may
// have received some of them. Nothing of this run is sent until it is known how many of them are in Redis.
// Facts and the time come in, a decision comes out.
#include <cstdint>
#include <optional>

#include "libshared/time/time.hpp"
#include "libshared/wire/link.hpp"

namespace mdpipe::reader {

struct Predecessor {
  std::uint64_t epoch = 0;
  std::uint64_t confirmed = 0;  // the publisher had told it that Redis holds everything up to here
};

class PredecessorEnd {
 public:
  explicit PredecessorEnd(std::optional<Predecessor> predecessor) : predecessor_(predecessor) {}

  // The predecessor that must end before events of `epoch` may be sent; null if there is none. Without a
  // spool only the clock tells the runs apart, and it may have been set back: this run's epoch comes after
  // the predecessor whatever its number is.
  [[nodiscard]] const Predecessor* before(std::uint64_t epoch, std::uint64_t own_epoch) const {
    if (!predecessor_ || (epoch != own_epoch && epoch <= predecessor_->epoch)) return nullptr;
    return &*predecessor_;
  }
  // Up to where events of `epoch` were known to be confirmed when its run ended; 0 if that is not known.
  [[nodiscard]] std::uint64_t confirmed_of(std::uint64_t epoch) const {
    return predecessor_ && predecessor_->epoch == epoch ? predecessor_->confirmed : 0;
  }
  // The reader says that no more events of the predecessor will come.
  [[nodiscard]] bool is_closing() const { return is_closing_; }

  // A position for the predecessor's epoch. True once it is final: the predecessor is gone then.
  bool on_position(const wire::Position& position, SteadyTime now);

 private:
  std::optional<Predecessor> predecessor_;
  std::uint64_t accepted_ = 0, confirmed_ = 0;
  SteadyTime quiet_since_{};  // when these two last changed or Redis was down; zero before the first position
  bool is_closing_ = false;
};

}  // namespace mdpipe::reader

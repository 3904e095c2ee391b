#include "ws-reader/outbox/predecessor_end.hpp"

namespace mdpipe::reader {
namespace {

// Messages that the killed reader left in its connection arrive during this time. It is far more than a
// publisher needs that has written all it accepted; what arrives later is rejected and counted as lost.
constexpr auto kDrainQuiet = std::chrono::milliseconds(250);
// If the publisher answers for this long and has still not confirmed all it accepted, its position is taken
// as it is.
constexpr auto kAckLagMax = std::chrono::seconds(5);

}  // namespace

// The publisher has accepted and written some of the events, and more may still arrive. Once no more seem to
// arrive, the reader says that the run is closed, and the publisher's answer to that is final.
bool PredecessorEnd::on_position(const wire::Position& position, SteadyTime now) {
  const bool has_moved =
      position.accepted != accepted_ || position.confirmed != confirmed_ || !position.redis_up;
  if (has_moved || quiet_since_ == SteadyTime{}) quiet_since_ = now;
  accepted_ = position.accepted;
  confirmed_ = position.confirmed;
  const auto quiet = now - quiet_since_;
  const bool is_even = position.accepted == position.confirmed || quiet >= kAckLagMax;
  is_closing_ = is_closing_ || (is_even && quiet >= kDrainQuiet);
  const bool is_final = position.refused || (is_closing_ && position.closed && is_even);
  if (is_final) predecessor_.reset();
  return is_final;
}

}  // namespace mdpipe::reader

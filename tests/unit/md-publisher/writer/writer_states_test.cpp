#include "md-publisher/writer/writer_states.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

namespace mdpipe::publisher {
namespace {

using S = WriterState;
using E = WriterEvent;
using A = WriterAction;

// The state after these events, and the last action.
WriterStep after(std::initializer_list<E> events, S from = S::Stopped) {
  WriterStep step{from, A::None};
  for (const E event : events) step = writer_step(step.next, event);
  return step;
}

std::vector<S> all_states() {
  std::vector<S> states;
  for (std::size_t i = 0; i < kWriterStates; ++i) states.push_back(static_cast<S>(i));
  return states;
}

TEST(WriterStates, a_transaction_goes_from_idle_to_idle) {
  EXPECT_EQ(after({E::Start, E::Connected, E::CursorsRead}).next, S::Idle);
  EXPECT_EQ(after({E::Write, E::StreamsKnown, E::Committed}, S::Idle).action, A::ReportCommit);
  EXPECT_EQ(after({E::WriteAfterMaintain, E::MaintenanceDone, E::StreamsKnown, E::Written, E::ReplicasMissing,
                   E::ReplicasMissing, E::Committed},
                  S::Idle)
                .next,
            S::Idle);
}

TEST(WriterStates, a_connection_that_ends_anywhere_is_made_again_unless_the_program_stops) {
  for (const S state : all_states()) {
    const WriterStep step = writer_step(state, E::Disconnect);
    EXPECT_EQ(step.next, state == S::Stopped ? S::Stopped : S::Disconnected);
    EXPECT_EQ(step.action, state == S::Stopped ? A::None : A::PauseConnection);
    EXPECT_EQ(writer_step(state, E::Stop).next, S::Stopped);
  }
}

TEST(WriterStates, what_cannot_happen_changes_nothing) {
  EXPECT_EQ(after({E::CursorsRead}, S::Writing).next, S::Writing);
  EXPECT_EQ(after({E::CursorsRead}, S::Writing).action, A::None);
  EXPECT_EQ(after({E::Write}, S::Disconnected).next, S::Disconnected);
}

TEST(WriterStates, a_rejected_transaction_is_written_again_on_the_same_connection) {
  EXPECT_EQ(after({E::Write, E::StreamsKnown, E::Rejection}, S::Idle).action, A::PauseTransaction);
  EXPECT_EQ(after({E::Write, E::Rejection, E::Write, E::StreamsKnown}, S::Idle).next, S::Writing);
}

TEST(WriterStates, say_what_the_publisher_may_do) {
  for (const S state : all_states()) {
    EXPECT_EQ(info(state).state, state);
    EXPECT_TRUE(info(state).is_ready || !info(state).takes_writes);
    EXPECT_EQ(info(state).is_ready && info(state).is_idle, state == S::Idle);
  }
  EXPECT_FALSE(info(S::Rejected).takes_writes);
  EXPECT_FALSE(info(S::ReplicasLate).takes_writes);
}

}  // namespace
}  // namespace mdpipe::publisher

#include "md-publisher/writer/writer_states.hpp"

#include <array>

namespace mdpipe::publisher {
namespace {

using S = WriterState;
using E = WriterEvent;
using A = WriterAction;

struct Row {
  WriterState state;
  WriterEvent event;
  WriterStep step;
};

constexpr Row kRows[] = {
    {S::Stopped, E::Start, {S::Connecting, A::Connect}},
    {S::Disconnected, E::Start, {S::Connecting, A::Connect}},
    {S::Connecting, E::Connected, {S::ReadingCursors, A::AskForCursors}},
    {S::ReadingCursors, E::CursorsRead, {S::Idle, A::ReportReady}},

    {S::Idle, E::Maintain, {S::Maintaining, A::SendMaintenance}},
    {S::Maintaining, E::MaintenanceDone, {S::Idle, A::ReportMaintenance}},

    {S::Idle, E::Write, {S::CheckingStreams, A::CheckStreams}},
    {S::Idle, E::WriteAfterMaintain, {S::MaintainingFirst, A::SendMaintenance}},
    {S::MaintainingFirst, E::MaintenanceDone, {S::CheckingStreams, A::CheckStreamsAndReportMaintenance}},
    {S::CheckingStreams, E::StreamsKnown, {S::Writing, A::SendTransaction}},
    {S::Writing, E::Committed, {S::Idle, A::ReportCommit}},

    {S::Writing, E::Written, {S::AwaitingReplicas, A::AskReplicas}},
    {S::AwaitingReplicas, E::ReplicasMissing, {S::ReplicasLate, A::ReportReplicasLate}},
    {S::ReplicasLate, E::ReplicasMissing, {S::ReplicasLate, A::ReportReplicasLate}},
    {S::AwaitingReplicas, E::Committed, {S::Idle, A::ReportCommit}},
    {S::ReplicasLate, E::Committed, {S::Idle, A::ReportCommit}},

    {S::CheckingStreams, E::Rejection, {S::Rejected, A::PauseTransaction}},
    {S::Writing, E::Rejection, {S::Rejected, A::PauseTransaction}},
    {S::Rejected, E::Write, {S::CheckingStreams, A::CheckStreams}},
    {S::Rejected, E::WriteAfterMaintain, {S::MaintainingFirst, A::SendMaintenance}},

    {S::Writing, E::CursorsLost, {S::Disconnected, A::ReportCommitAndDisconnect}},
    {S::AwaitingReplicas, E::CursorsLost, {S::Disconnected, A::ReportCommitAndDisconnect}},
    {S::ReplicasLate, E::CursorsLost, {S::Disconnected, A::ReportCommitAndDisconnect}},
};

constexpr std::size_t at(WriterState state) { return static_cast<std::size_t>(state); }
constexpr std::size_t at(WriterEvent event) { return static_cast<std::size_t>(event); }

using Table = std::array<std::array<WriterStep, kWriterEvents>, kWriterStates>;

constexpr Table make_table() {
  Table table{};
  for (std::size_t state = 0; state < kWriterStates; ++state) {
    for (auto& step : table.at(state)) step = {static_cast<WriterState>(state), A::None};
    // From everywhere, unless it is stopped already.
    if (state == at(S::Stopped)) continue;
    table.at(state).at(at(E::Disconnect)) = {S::Disconnected, A::PauseConnection};
    table.at(state).at(at(E::Stop)) = {S::Stopped, A::Close};
  }
  for (const Row& row : kRows) table.at(at(row.state)).at(at(row.event)) = row.step;
  return table;
}
constexpr Table kTable = make_table();

constexpr WriterStateInfo kStates[] = {
    // state              ready  idle   takes writes
    {S::Stopped, false, true, false},
    {S::Disconnected, false, true, false},
    {S::Connecting, false, true, false},
    {S::ReadingCursors, false, true, false},
    {S::Idle, true, true, true},
    {S::Maintaining, true, false, true},
    {S::MaintainingFirst, true, false, true},
    {S::CheckingStreams, true, false, true},
    {S::Writing, true, false, true},
    {S::AwaitingReplicas, true, false, true},
    {S::ReplicasLate, true, false, false},
    {S::Rejected, true, false, false},
};

constexpr bool states_are_in_order() {
  std::size_t number = 0;
  for (const WriterStateInfo& state : kStates) {
    if (at(state.state) != number++) return false;
  }
  return number == kWriterStates;
}
static_assert(states_are_in_order(), "one row for each state, in the order of the enum");

// std::all_of is not constexpr in C++17.
template <std::size_t Size>
constexpr bool all(const std::array<bool, Size>& flags) {
  std::size_t set = 0;
  for (const bool flag : flags) set += flag ? 1 : 0;
  return set == Size;
}

// No pair twice; every state is entered and left by a row, every event is in one (besides those from
// everywhere).
constexpr bool rows_are_whole() {
  std::array<bool, kWriterStates> left{}, entered{};
  std::array<bool, kWriterEvents> used{};
  std::array<std::array<bool, kWriterEvents>, kWriterStates> seen{};
  for (const Row& row : kRows) {
    bool& pair = seen.at(at(row.state)).at(at(row.event));
    if (pair) return false;
    pair = left.at(at(row.state)) = used.at(at(row.event)) = entered.at(at(row.step.next)) = true;
  }
  used.at(at(E::Disconnect)) = used.at(at(E::Stop)) = entered.at(at(S::Stopped)) = true;
  return all(left) && all(entered) && all(used);
}
static_assert(rows_are_whole(), "table and enums disagree");

}  // namespace

WriterStep writer_step(WriterState state, WriterEvent event) { return kTable.at(at(state)).at(at(event)); }

const WriterStateInfo& info(WriterState state) { return kStates[at(state)]; }

}  // namespace mdpipe::publisher

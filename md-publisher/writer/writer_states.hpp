#pragma once
// What the writer of one Redis does when: its states, what can happen, and one table of both. Pure;
// redis_writer.cpp carries the actions out.
#include <cstddef>

namespace mdpipe::publisher {

enum class WriterState {
  Stopped,           // not started yet, or for good
  Disconnected,      // waits for the next try to connect
  Connecting,        // asks Sentinels for the master, connects, logs in
  ReadingCursors,    // asks how far the events of each reader have reached Redis
  Idle,              // nothing to write
  Maintaining,       // trims streams and asks for memory; there is no transaction
  MaintainingFirst,  // the same, and a transaction waits for it
  CheckingStreams,   // asks for the types and lengths of streams before the transaction is written
  Writing,           // the transaction is on its way
  AwaitingReplicas,  // it is in the master, and replicas have to hold it too
  ReplicasLate,      // they did not within a WAIT; asks again
  Rejected,          // Redis wrote nothing of it; waits before it is written again
};
inline constexpr std::size_t kWriterStates = static_cast<std::size_t>(WriterState::Rejected) + 1;

enum class WriterEvent {
  Start,               // of the program, or the pause before the next try is over
  Connected,           // and logged in
  CursorsRead,         // and enough replicas hold them
  Write,               // a transaction is given, or written again; no maintenance is due
  WriteAfterMaintain,  // the same, and maintenance is due
  Maintain,            // maintenance is due without a transaction
  MaintenanceDone,     // all its commands are answered
  StreamsKnown,        // the transaction may be written
  Rejection,           // an error of Redis, which wrote nothing
  Written,             // the transaction is in the master, and replicas are to be waited for
  ReplicasMissing,     // too few of them hold it so far
  Committed,           // the transaction is where it has to be
  CursorsLost,         // the same, but the cursors have to be read again
  Disconnect,          // the connection could not be made, or has to end
  Stop,
};
inline constexpr std::size_t kWriterEvents = static_cast<std::size_t>(WriterEvent::Stop) + 1;

enum class WriterAction {
  None,
  Connect,
  AskForCursors,
  ReportReady,
  CheckStreams,  // or StreamsKnown at once, if there is nothing to ask
  SendMaintenance,
  ReportMaintenance,
  CheckStreamsAndReportMaintenance,
  SendTransaction,
  PauseTransaction,
  AskReplicas,
  ReportReplicasLate,  // and ask them again
  ReportCommit,
  ReportCommitAndDisconnect,
  PauseConnection,
  Close,
};

struct WriterStep {
  WriterState next;
  WriterAction action;
};

// What `event` leads to. An event that cannot happen in a state changes nothing.
WriterStep writer_step(WriterState state, WriterEvent event);

struct WriterStateInfo {
  WriterState state;
  bool is_ready;      // connected, and the cursors are known
  bool is_idle;       // a transaction may be given once it is ready
  bool takes_writes;  // events that come now are written soon
};
const WriterStateInfo& info(WriterState state);

}  // namespace mdpipe::publisher

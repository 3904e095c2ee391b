#pragma once
// When the simulator misbehaves towards a client: rules on the number of its frames, decided without a
// socket. All counts are for one connection and market data frames; acknowledgements and error replies are
// not counted.
#include <cstdint>
#include <string>

namespace mdpipe::sim {

struct MisbehaviourOptions {
  std::uint64_t close_after = 0;  // 0 switches a rule off
  std::uint64_t drop_after = 0;
  std::uint64_t silence_after = 0;
  std::string silence_symbol;
  std::uint64_t silence_symbol_after = 0;
  std::uint64_t garbage_every = 0;
  std::uint64_t bomb_after = 0;
  std::uint64_t skip_delta_every = 0, cross_book_every = 0, wrong_mid_every = 0;  // of book frames
};

// What to do once a frame has been sent.
struct Aftermath {
  bool garbage = false;
  bool bomb = false;
  bool close = false;
  bool drop = false;
};

// The fault to put into a frame of a book before it is sent.
enum class BookFault { None, Skip, Cross, WrongMid };

// The counts of one connection.
class FrameRules {
 public:
  explicit FrameRules(const MisbehaviourOptions& config) : config_(&config) {}

  // False: do not send the frame. `symbol` may be empty if it is not known.
  bool admits(const std::string& symbol);
  // Counts a frame of a book; timed snapshots (bitFlyer) do not count.
  BookFault next_book_frame();
  Aftermath after_sending();
  [[nodiscard]] std::uint64_t sent() const { return sent_; }

 private:
  const MisbehaviourOptions* config_;  // outlives the connection
  std::uint64_t sent_ = 0, sent_of_silenced_ = 0, book_frames_ = 0;
};

}  // namespace mdpipe::sim

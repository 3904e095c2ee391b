#pragma once
// The file of a WindowCheckpoint, which survives the end of the agent, also a kill: it is written under
// another name and then renamed. A file that cannot be read is kept under another name, never deleted.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/result/result.hpp"
#include "libshared/time/time.hpp"
#include "libshared/wire/byte_buffer.hpp"
#include "metrics-agent/window/window.hpp"

namespace mdpipe::agent {

// What a checkpoint's time is relative to: the monotonic clock restarts with each boot.
struct BootClock {
  std::string boot_id;
  UnixNanos wall;
};

// The file is a head followed by messages. They may be in several pieces, which are megabytes at thousands of
// series and partly reused.
using StatePieces = std::vector<std::string_view>;
struct StateMessages {
  wire::ByteBuffer bytes;
  std::uint32_t checksum = 0;
  void clear();
  void append(const metrics::Delta& delta);
};
std::string checkpoint_head(std::optional<SteadyTime> end, std::string_view boot_id,
                            const std::vector<const StateMessages*>& messages);
// Entries without news for a week are left out; `end` is empty if the machine has booted since.
Result<WindowCheckpoint> decode_checkpoint(std::string_view bytes, const BootClock& clock);

class WindowStateFile {
 public:
  // An empty folder means no state. Nothing is touched yet.
  explicit WindowStateFile(const std::string& folder);

  // The saved checkpoint; an empty one if there is no file. Warns once if something is wrong.
  WindowCheckpoint load(const BootClock& clock);

  // Saving has two steps, so that the log lines of a window can be written between them: a kill before
  // stage() has finished or after commit() repeats no line, and between them is only one rename.
  void stage(const StatePieces& pieces);
  void commit();

  [[nodiscard]] bool usable() const { return !path_.empty(); }

 private:
  void give_up(std::string_view action, int error);
  void set_aside(const std::string& why);

  std::string path_;  // empty if there is no state
  bool staged_ = false;
};

}  // namespace mdpipe::agent

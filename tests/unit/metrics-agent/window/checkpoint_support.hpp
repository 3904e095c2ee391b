#pragma once
// A whole state file as WindowWriter writes it in pieces.
#include <string>
#include <string_view>

#include "metrics-agent/window/window_state.hpp"

namespace mdpipe::agent {

inline std::string encode_checkpoint(const WindowCheckpoint& checkpoint, std::string_view boot_id) {
  StateMessages messages;
  for (const metrics::Delta& delta : checkpoint.covered) messages.append(delta);
  for (const metrics::Delta& delta : checkpoint.undelivered) messages.append(delta);
  return checkpoint_head(checkpoint.end, boot_id, {&messages}).append(messages.bytes.view());
}

}  // namespace mdpipe::agent

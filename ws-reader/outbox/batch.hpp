#pragma once
// Events that are sent and kept together: numbered, encoded once, never changed afterwards.
#include <cstdint>

#include "libshared/time/time.hpp"
#include "libshared/wire/byte_buffer.hpp"

namespace mdpipe::reader {

struct Batch {
  std::uint64_t epoch = 0;  // the run of the reader that numbered the events
  std::uint64_t first_seq = 0;
  std::uint32_t count = 0;
  std::uint64_t follows = 0;  // first_seq - 1, or less if the events in between were dropped
  wire::ByteBuffer payload;
  SteadyTime opened_at{};
  std::int64_t row = 0;         // in the spool; 0 if the batch is only in memory
  bool reports_losses = false;  // contains only gap events, see loss_report.hpp

  [[nodiscard]] std::uint64_t last_seq() const { return first_seq + count - 1; }
};

}  // namespace mdpipe::reader

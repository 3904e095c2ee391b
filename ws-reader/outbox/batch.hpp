#pragma once
// Events that travel and are kept together: numbered, encoded once, never changed afterwards.
#include <cstdint>

#include "libshared/time/time.hpp"
#include "libshared/wire/byte_buffer.hpp"

namespace mdpipe::reader {

struct Batch {
  std::uint64_t epoch = 0;  // the life of the reader that numbered the events
  std::uint64_t first_seq = 0;
  std::uint32_t count = 0;
  std::uint64_t follows = 0;  // first_seq - 1, less where the events between were dropped
  wire::ByteBuffer payload;
  SteadyTime opened_at{};
  std::int64_t row = 0;         // in the spool; 0 while the batch is in memory alone
  bool reports_losses = false;  // holds nothing but gap events, see loss_report.hpp

  [[nodiscard]] std::uint64_t last_seq() const { return first_seq + count - 1; }
};

}  // namespace mdpipe::reader

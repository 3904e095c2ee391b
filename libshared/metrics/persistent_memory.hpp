#pragma once
// What files that are mapped and outlive a kill have in common: counter_file, persistent_histogram,
// pending_counts, and ws-reader's in_flight.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <string_view>

namespace mdpipe::metrics {

// Keeps what is written before it before what is written after it. A kill stops the program between two
// instructions, so only the compiler has to keep the order.
inline void in_this_order() { std::atomic_signal_fence(std::memory_order_seq_cst); }

// A text into a field of a header, padded with zeros. False where it does not fit with one of them behind it.
template <std::size_t kChars>
bool copy_text(std::string_view text, char (&out)[kChars]) {
  if (text.size() >= kChars) return false;
  std::memset(out, 0, kChars);
  std::copy(text.begin(), text.end(), std::begin(out));
  return true;
}

}  // namespace mdpipe::metrics

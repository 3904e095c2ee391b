#pragma once
// What mapped files that outlive a kill have in common: counter_file, persistent_histogram, pending_counts,
// and ws-reader's in_flight_file.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <string_view>

namespace mdpipe::metrics {

// Writes before this call stay before writes after it. A kill stops the program between two instructions, so
// only the compiler has to keep the order.
inline void in_this_order() { std::atomic_signal_fence(std::memory_order_seq_cst); }

// Copies a text into a field of a header, padded with zeros. False if it does not fit with one zero at its
// end.
template <std::size_t kChars>
bool copy_text(std::string_view text, char (&out)[kChars]) {
  if (text.size() >= kChars) return false;
  std::memset(out, 0, kChars);
  std::copy(text.begin(), text.end(), std::begin(out));
  return true;
}

}  // namespace mdpipe::metrics

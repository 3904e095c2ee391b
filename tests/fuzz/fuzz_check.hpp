#pragma once
// A fuzz target calls this if a promise is broken. It ends the program in a way that libFuzzer and the replay
// both report.
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace mdpipe::fuzz {

inline void check(bool holds, std::string_view promise) {
  if (holds) return;
  (void)std::fprintf(stderr, "broken promise: %.*s\n", static_cast<int>(promise.size()), promise.data());
  std::abort();
}

}  // namespace mdpipe::fuzz

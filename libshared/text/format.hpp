#pragma once
// fmt::format into existing memory. A file that calls fmt::format_to, or joins numbers, compiles fmt's whole
// formatter, which takes longer than the rest of the file. Here it is compiled once; this header includes
// only fmt's small one.
#include <fmt/core.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace mdpipe {

void append_formatted(std::string& out, fmt::string_view format, fmt::format_args args);

// Appends to `out`, which allocates only if it has to grow.
template <typename... Args>
void append_format(std::string& out, fmt::format_string<Args...> format, const Args&... args) {
  append_formatted(out, format, fmt::make_format_args(args...));
}

// Writes at most `size_max` bytes and returns how many; what does not fit is left out.
std::size_t write_formatted(char* out, std::size_t size_max, fmt::string_view format, fmt::format_args args);

// A text of at most `size_max` bytes, cut there, without any allocation.
template <std::size_t size_max>
class FixedText {
 public:
  template <typename... Args>
  explicit FixedText(fmt::format_string<Args...> format, const Args&... args)
      : size_(write_formatted(bytes_.data(), size_max, format, fmt::make_format_args(args...))) {}
  [[nodiscard]] std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, size_max> bytes_{};
  std::size_t size_ = 0;
};

}  // namespace mdpipe

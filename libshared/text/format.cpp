#include "libshared/text/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace mdpipe {

void append_formatted(std::string& out, fmt::string_view format, fmt::format_args args) {
  fmt::vformat_to(std::back_inserter(out), format, args);
}

std::size_t write_formatted(char* out, std::size_t size_max, fmt::string_view format, fmt::format_args args) {
  return std::min(fmt::vformat_to_n(out, size_max, format, args).size, size_max);
}

}  // namespace mdpipe
